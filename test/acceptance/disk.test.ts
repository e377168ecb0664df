import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"

const requirement = rootWith("mount")

/** Prints a line every few milliseconds, for ever. */
const talker: Fx.Table = {
  command: "perl",
  args: ["-e", `$| = 1; while (1) { print "x" x 900, "\\n"; select undef, undef, undef, 0.005 }`, "{instance_dir}"],
  isolation: "process"
}

const ballast = (machine: Machine) => `${machine.dataDir}/ballast`

/** To the last byte. */
const fill = (machine: Machine) =>
  Effect.sync(() => {
    const fd = fs.openSync(ballast(machine), "a")
    try {
      for (const size of [65_536, 4096, 1]) {
        for (;;) {
          try {
            fs.writeSync(fd, Buffer.alloc(size))
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
            break
          }
        }
      }
    } finally {
      fs.closeSync(fd)
    }
  })

const makeRoom = (machine: Machine) => Effect.sync(() => fs.rmSync(ballast(machine)))

const linesLost = (machine: Machine) =>
  Effect.map(machine.api("/metrics"), ({ status, text }) => {
    assert.strictEqual(status, 200)
    return Number(/^tenement_log_lines_lost_total\{[^}]*talker[^}]*reason="disk"\} (\d+)$/m.exec(text)?.[1] ?? 0)
  })

const states = (machine: Machine) =>
  Effect.map(machine.list, (all) => all.map(({ name, pid, state }) => ({ name, pid, state })))

/** A file of the journal may have room for a line or two behind its end; then it has none. */
const untilRefused = (machine: Machine) =>
  eventually(
    "what cannot be kept is refused",
    Effect.zipRight(fill(machine), Effect.zipRight(machine.ask("start", "spare"), machine.ask("stop", "spare"))),
    ({ status }) => status === 507
  )

describe("a disk that is full", () => {
  it.scopedLive.skipIf(requirement.isSkipped)(
    `refuses what cannot be kept, without effect, and all goes on when there is room${requirement.told}`,
    () =>
      Effect.gen(function*() {
        const web = { socket: "{run_dir}/{name}-{id}.sock", health: "/health", health_interval: "200 millis" }
        const service = {
          web: Fx.service({ ...web, ...Fx.eager, instances: ["a", "b"] }, "serve=200"),
          spare: Fx.service({ instances: ["default", "gone"] }, ""),
          idle: Fx.service({}, ""),
          talker
        }
        const machine = yield* make({ service }, { volume: "4m" })
        for (const name of ["web:a", "web:b"]) yield* machine.until(name, "healthy")
        yield* machine.untilUp("idle", "spare", "spare:gone")
        yield* machine.stop("idle")
        yield* machine.stop("spare")
        assert.strictEqual((yield* machine.api("/api/instances/spare:gone", { method: "DELETE" })).status, 204)
        const full = yield* Effect.zipRight(untilRefused(machine), states(machine))
        const identities = full.flatMap(({ pid }) => pid === null ? [] : [Proc.identity(pid)])
        const begun = Effect.map(machine.truth(), (all) => all.filter(({ event }) => event === "start"))
        // One that was just started may not have said so yet.
        const { length: starts } = yield* eventually("all that run have said so", begun, (all) =>
          full.every(({ name, pid }) =>
            pid === null || name.startsWith("talker") || all.some((one) =>
              one.pid === pid
            )
          ))

        const refused = (on: Machine) =>
          Effect.gen(function*() {
            yield* on.write({ service: { ...service, added: Fx.service({}, "") } })
            for (
              const [method, path, body] of [
                ["POST", "/api/instances/idle:default/start"],
                ["POST", "/api/instances/web:a/stop"],
                ["POST", "/api/instances/web:a/restart"],
                ["DELETE", "/api/instances/web:b"],
                ["POST", "/api/instances", { service: "web", id: "new" }],
                ["POST", "/api/instances", { service: "spare", id: "gone" }],
                ["POST", "/api/reload"]
              ] as const
            ) {
              const answer = yield* on.api(path, { method, body })
              assert.strictEqual(answer.status, 507, `${method} ${path}: ${answer.text}`)
              assert.include(answer.text, "the disk is full")
            }
            assert.deepStrictEqual(yield* states(on), full, "nothing has changed")
            assert.deepStrictEqual(full.flatMap(({ pid }) => pid === null ? [] : [Proc.identity(pid)]), identities)
            assert.strictEqual((yield* on.truth()).filter(({ event }) => event === "start").length, starts)
            yield* on.write({ service })
          })
        yield* refused(machine)
        yield* eventually("lost lines are counted", linesLost(machine), (lost) => lost > 0)

        const next = yield* machine.kill()
        for (const name of ["web:a", "web:b"]) yield* next.until(name, "healthy")
        yield* refused(next)
        yield* eventually("lost lines are counted", linesLost(next), (lost) => lost > 0)
        // What crashes is started again all the same.
        const crashed = full.find(({ name }) => name === "web:b")!.pid!
        process.kill(crashed, "SIGKILL")
        const again = yield* next.until("web:b", ({ pid, state }) => state === "healthy" && pid !== crashed)

        yield* makeRoom(next)
        assert.strictEqual((yield* next.ask("start", "idle")).status, 200)
        yield* next.stop("web:a")
        const lost = yield* linesLost(next)
        const told = yield* eventually(
          "the log goes on, and says what it lacks",
          Effect.map(next.cli("logs", "talker"), ({ stdout }) => stdout),
          (text) => text.includes("lines were lost here") && text.trimEnd().endsWith("x")
        )
        assert.include(told, "ENOSPC")
        assert.strictEqual(yield* linesLost(next), lost, "and loses no more")

        const last = yield* next.kill()
        yield* last.until("web:b", "healthy")
        assert.deepStrictEqual(
          yield* states(last),
          [
            { ...full[0]!, pid: (yield* last.view("idle")).pid, state: "running" },
            ...full.slice(1).map((one) =>
              one.name === "web:a"
                ? { ...one, pid: null, state: "stopped" }
                : one.name === "web:b"
                ? { ...one, pid: again.pid }
                : one
            )
          ]
        )
      }),
    120_000
  )
})
