import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import * as KillPoints from "./KillPoints.ts"
import { make, on, serve } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"
import * as Site from "./Site.ts"

const requirement = rootWith("strace")

type Wish = "running" | "stopped" | "removed"

interface Mutation {
  readonly name: string
  readonly wish: Wish
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

const spawn = (id: string): Mutation => ({
  name: `web:${id}`,
  wish: "running",
  method: "POST",
  path: "/api/instances",
  body: { service: "web", id }
})
const ask = (verb: "start" | "stop" | "restart", id: string): Mutation => ({
  name: `web:${id}`,
  wish: verb === "stop" ? "stopped" : "running",
  method: "POST",
  path: `/api/instances/web:${id}/${verb}`
})
const remove = (id: string): Mutation => ({
  name: `web:${id}`,
  wish: "removed",
  method: "DELETE",
  path: `/api/instances/web:${id}`
})

/** Twenty of them; `z` is there before. */
const mutations: ReadonlyArray<Mutation> = [
  spawn("a"),
  spawn("b"),
  ask("stop", "a"),
  ask("stop", "z"),
  ask("start", "a"),
  remove("b"),
  spawn("c"),
  ask("stop", "c"),
  ask("restart", "a"),
  spawn("b"),
  remove("c"),
  ask("start", "z"),
  ask("stop", "b"),
  ask("start", "b"),
  ask("stop", "a"),
  remove("z"),
  remove("a"),
  spawn("d"),
  ask("stop", "d"),
  spawn("z")
]

const service = { web: Fx.service({ instances: ["z"] }, "obey=TERM") }

/** The kernel's calls are counted by thread; what waits for the disk is one of the pool, and here there is but one. */
const env = { UV_THREADPOOL_SIZE: "1" }

const request = (site: Site.Site, { body, method, path }: Mutation) =>
  Http.request(site.socket, path, body === undefined ? { method } : { method, body })

const points = KillPoints.orSome([1, 17])

/** A supervisor that dies at its `count`-th call of a kind to the files of its store, and what was answered until then. */
const untilKilled = (site: Site.Site, names: string, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const journal = `${site.dataDir}/.state/journal`
    const inject = `inject=${names}:signal=KILL:when=${count}`
    const files = ["-P", journal, "-P", `${journal}.new`]
    const via = ["strace", "-D", "-f", "-q", "-o", "/dev/null", ...files, "-e", `trace=${names}`, "-e", inject]
    const acknowledged = new Map<string, Wish>([["web:z", "running"]])
    const supervisor = yield* site.run(["serve", "--config", site.file], { via, env })
    yield* Effect.raceFirst(
      supervisor.exited,
      eventually(
        "it answers",
        Effect.either(Http.request(site.socket, "/api/instances")),
        (answer) => Either.isRight(answer) && answer.right.status === 200
      )
    )
    for (const mutation of mutations) {
      const answer = yield* Effect.either(request(site, mutation))
      if (Either.isLeft(answer)) return { acknowledged, inFlight: mutation }
      assert.oneOf(answer.right.status, [200, 204], answer.right.text)
      acknowledged.set(mutation.name, mutation.wish)
    }
    return { acknowledged, inFlight: null }
  }))

/** One life that ends there; whether it came. */
const dieAt = (names: string, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const site = yield* Site.make({ service })
    yield* Effect.scoped(Effect.gen(function*() {
      const first = on(site, yield* serve(site))
      yield* first.untilUp("web:z")
      yield* first.supervisor.signal("SIGKILL")
      yield* first.supervisor.exited
    }))
    const { acknowledged, inFlight } = yield* untilKilled(site, names, count)
    if (inFlight === null) return false
    const next = on(site, yield* serve(site))
    const programs = () =>
      Proc.withArgument(site.dataDir).filter((pid) => Proc.commandLine(pid)[1]?.endsWith("/fx.pl") === true).length
    // What has ended meanwhile is running until that is noticed.
    const settled = yield* eventually(
      "it has settled, and what it says is what there is",
      next.list,
      (all) =>
        all.every(({ state }) => state === "running" || state === "stopped") &&
        all.filter(({ state }) => state === "running").length === programs()
    )
    for (const name of new Set([...acknowledged.keys(), inFlight.name])) {
      const found = settled.find((one) => one.name === name)?.state ?? "removed"
      const before = acknowledged.get(name) ?? "removed"
      // A removal stops before it removes.
      const possible = name !== inFlight.name
        ? [before]
        : inFlight.wish === "removed"
        ? [before, "stopped", "removed"]
        : [before, inFlight.wish]
      assert.include(possible, found, `${name}; ${inFlight.path} was under way`)
    }
    yield* next.terminate
    return true
  }))

describe("what was answered", () => {
  it.scopedLive.skipIf(requirement.isSkipped)(
    `was on the disk before, and before anything was done about it${requirement.told}`,
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service }, { env })
        yield* machine.untilUp("web:z")
        const trace = `${machine.root}/trace`
        const names = "write,pwrite64,writev,fdatasync,fsync,kill,?fork,?vfork,clone,?clone3"
        const tracer = yield* machine.run([], {
          via: [
            "strace",
            "-f",
            "-y",
            "-q",
            "-s",
            "40",
            "-o",
            trace,
            "-e",
            `trace=${names}`,
            "-p",
            String(machine.supervisor.pid),
            "--"
          ]
        })
        yield* eventually(
          "it is traced",
          Effect.sync(() => Proc.status(machine.supervisor.pid, "TracerPid")),
          (tracer) => tracer !== "0"
        )
        for (const mutation of mutations) {
          fs.truncateSync(trace)
          const { status, text } = yield* Effect.orDie(request(machine, mutation))
          assert.oneOf(status, [200, 204], text)
          const lines = yield* eventually(
            "the answer is in the trace",
            Effect.sync(() => fs.readFileSync(trace, "utf8").replaceAll("\0", "").split("\n")),
            (lines) => lines.some((line) => line.includes("\"HTTP/1.1 20"))
          )
          const at = (what: string | RegExp) => lines.findIndex((line) => line.search(what) >= 0)
          const told = `${mutation.method} ${mutation.path}:\n${lines.join("\n")}`
          const written = at(`journal>, .*instance ${mutation.name}`)
          const synced = lines.findIndex((line, index) => index > written && /fdatasync.*= 0$/.test(line))
          const answered = at(/"HTTP\/1\.1 20/)
          const done = at(/ (kill\(|v?fork\(|clone3?\(.*SIGCHLD)/)
          assert.isAtLeast(written, 0, told)
          assert.isAbove(synced, written, told)
          assert.isAbove(answered, synced, told)
          if (done >= 0) assert.isAbove(done, synced, told)
        }
        yield* tracer.signal("SIGKILL")
        yield* tracer.exited
      }),
    60_000
  )

  for (
    const [name, names] of Object.entries({
      open: "openat",
      write: "pwrite64",
      sync: "fsync,fdatasync",
      rename: "?rename,?renameat,?renameat2",
      unlink: "?unlink,?unlinkat"
    })
  ) {
    it.live.skipIf(requirement.isSkipped)(
      `is there when the supervisor is killed at a call to ${name} of its store, and besides at most what was under way${requirement.told}`,
      () =>
        Effect.gen(function*() {
          let covered = 0
          const failed: Array<string> = []
          for (const count of points) {
            const came = yield* Effect.exit(dieAt(names, count))
            if (Exit.isFailure(came)) failed.push(`number ${count}: ${Cause.pretty(came.cause)}`)
            else if (!came.value) break
            covered += 1
          }
          process.stderr.write(`killed at ${covered} calls to ${name} of the store\n`)
          assert.deepStrictEqual(failed, [])
          assert.isAbove(covered, 0, "none was made")
        }),
      6 * 3_600_000
    )
  }
})
