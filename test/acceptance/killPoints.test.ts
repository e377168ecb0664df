import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Cgroup from "./Cgroup.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import * as KillPoints from "./KillPoints.ts"
import { type Machine, make, type Options } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"

/** One of each kind, in the midst of them. */
const usually: Readonly<Record<string, number>> = {
  mkdir: 3,
  open: 23,
  write: 9,
  rename: 1,
  link: 2,
  start: 3,
  kill: 3,
  unlink: 5,
  rmdir: 7,
  connect: 2,
  sync: 3
}

type Intent = "running" | "stopped" | "removed"

const steps: ReadonlyArray<readonly [Intent, string, string, unknown?]> = [
  ["running", "POST", "/api/instances", { service: "web", id: "one" }],
  ["running", "POST", "/api/instances/web:one/restart"],
  ["stopped", "POST", "/api/instances/web:one/stop"],
  ["running", "POST", "/api/instances/web:one/start"],
  ["removed", "DELETE", "/api/instances/web:one"]
]

/** What was answered last, and what was asked and not answered. */
const perform = (machine: Machine) =>
  Effect.gen(function*() {
    let intent: Intent = "removed"
    for (const [next, method, path, body] of steps) {
      const answer = yield* Effect.either(Http.request(machine.socket, path, { method, body }))
      if (Either.isLeft(answer)) return { intent, asked: next }
      assert.oneOf(answer.right.status, [200, 204], answer.right.text)
      intent = next
    }
    return { intent, asked: null }
  })

const programs = (machine: Machine) =>
  Proc.withArgument(machine.dataDir).filter((pid) => Proc.commandLine(pid)[1]?.endsWith("/fx.pl") === true)

const isSettled = (state: string) => !["starting", "stopping", "backoff"].includes(state)

interface Place {
  readonly title: string
  readonly service: Fx.Table
  readonly options: Options
}

const usual: Place = {
  title: "",
  service: { isolation: "namespace", ...(Cgroup.canLimit ? { pids_limit: 64 } : {}) },
  options: {}
}

/** The kernel's calls are counted by thread, and what waits for the disk is one of the pool: here there is but one. */
const oneThread: Options = { env: { UV_THREADPOOL_SIZE: "1" } }

/** Processes are found by nothing but what was written down of them. */
const withoutCgroups: Place = {
  title: " where there are no cgroups",
  service: { isolation: "process" },
  options: { via: ["unshare", "--mount", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"`] }
}

/** One life with its end at this point; whether it came. */
const dieAt = (place: Place, names: string, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const machine = yield* make({
      service: {
        web: Fx.service({
          instances: [],
          socket: "{data_dir}/{name}-{id}.sock",
          health: "/health",
          ...Fx.eager,
          ...place.service
        }, "obey=TERM serve=200")
      }
    }, place.options)
    const { asked, intent } = yield* Effect.scoped(
      Effect.zipRight(KillPoints.arm(machine.supervisor.pid, names, count), perform(machine))
    )
    // Whose answer broke off is dying, if not dead yet.
    if (asked === null && Proc.isAlive(machine.supervisor.pid)) return false
    const next = yield* machine.kill()
    const all = yield* eventually("it has settled", next.list, (all) => all.every(({ state }) => isSettled(state)))
    const running = yield* eventually(
      "what it says is what there is",
      Effect.sync(() => programs(next).length),
      (count) => count === all.filter(({ state }) => state === "healthy").length
    )
    const found: Intent = running === 1 ? "running" : all.length === 0 ? "removed" : "stopped"
    const possible: ReadonlyArray<Intent> = [intent, ...asked === null ? [] : [asked]]
    // Whether what was made and never asked for is forgotten is nobody's business.
    const isSame = (one: Intent) => one === found || (one !== "running" && found !== "running" && asked !== null)
    assert.isTrue(possible.some(isSame), `${intent} was promised, ${asked} was asked for, and it is ${found}`)
    return true
  }))

const requirement = rootWith("strace")

const walks: ReadonlyArray<readonly [Place, Readonly<Record<string, string>>]> = [
  [usual, KillPoints.calls],
  [{ ...usual, options: oneThread }, { sync: KillPoints.sync }],
  [withoutCgroups, { write: KillPoints.calls.write, open: KillPoints.calls.open, start: KillPoints.calls.start }]
]

const walk = walks.flatMap(([place, kinds]) => Object.entries(kinds).map(([name, names]) => ({ place, name, names })))

describe("a supervisor that is killed at a system call", () => {
  for (const { name, names, place } of walk) {
    it.live.skipIf(requirement.isSkipped)(
      `to ${name}${place.title}: what was answered holds, and nothing is left${requirement.told}`,
      () =>
        Effect.gen(function*() {
          let covered = 0
          const failed: Array<string> = []
          for (const count of KillPoints.orSome([usually[name] ?? 1])) {
            const came = yield* Effect.exit(dieAt(place, names, count))
            if (Exit.isFailure(came)) failed.push(`number ${count}: ${Cause.pretty(came.cause)}`)
            else if (!came.value) break
            covered += 1
          }
          process.stderr.write(`killed at ${covered} calls to ${name}${place.title}\n`)
          assert.deepStrictEqual(failed, [])
          assert.isAbove(covered, 0, "none was made")
        }),
      6 * 3_600_000
    )
  }
})
