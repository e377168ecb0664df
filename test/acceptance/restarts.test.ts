import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ExitReason } from "../../src/domain/Exit.ts"
import * as Fx from "./Fx.ts"
import * as Machine from "./Machine.ts"

const policies = ["always", "on-failure", "never"] as const
type Policy = typeof policies[number]

interface Ending {
  /** What the first run does. */
  readonly turn: string
  readonly keys?: Fx.Table
  /** What is done to the first run from outside. */
  readonly act?: (machine: Machine.Machine, name: string) => Effect.Effect<void>
  readonly restarts: Readonly<Record<Policy, boolean>>
  readonly lastExit: { readonly code: number | null; readonly signal: string | null; readonly reason: ExitReason }
}

const each = { always: true, "on-failure": true, never: false }
const none = { always: false, "on-failure": false, never: false }

const kill = (signal: NodeJS.Signals) => (machine: Machine.Machine, name: string) =>
  Effect.map(machine.until(name, "running"), ({ pid }) => void process.kill(pid!, signal))

const probed = { health: "/health", health_interval: "40 millis", health_timeout: "2s", readiness: "socket" }

const endings: Readonly<Record<string, Ending>> = {
  "exit-0": {
    turn: "exit=0",
    restarts: { always: true, "on-failure": false, never: false },
    lastExit: { code: 0, signal: null, reason: "exited" }
  },
  "exit-3": { turn: "exit=3", restarts: each, lastExit: { code: 3, signal: null, reason: "exited" } },
  // As a program that puts itself into the background does.
  "gone-before-ready": {
    turn: "exit=0",
    keys: { readiness: "socket" },
    restarts: each,
    lastExit: { code: 0, signal: null, reason: "exited-early" }
  },
  segfault: { turn: "die=SEGV", restarts: each, lastExit: { code: null, signal: "SIGSEGV", reason: "signaled" } },
  killed: {
    turn: "",
    act: kill("SIGKILL"),
    restarts: each,
    lastExit: { code: null, signal: "SIGKILL", reason: "signaled" }
  },
  "terminated-from-outside": {
    turn: "",
    act: kill("SIGTERM"),
    restarts: each,
    lastExit: { code: null, signal: "SIGTERM", reason: "signaled" }
  },
  "late-to-be-ready": {
    turn: "",
    keys: { readiness: "socket", startup_timeout: "1s" },
    restarts: each,
    lastExit: { code: null, signal: "SIGTERM", reason: "startup-timeout" }
  },
  unhealthy: {
    turn: "serve=500",
    keys: probed,
    restarts: each,
    lastExit: { code: null, signal: "SIGTERM", reason: "unhealthy" }
  },
  "stopped-by-a-person": {
    turn: "",
    act: (machine, name) => Effect.zipRight(machine.until(name, "running"), Effect.asVoid(machine.stop(name))),
    restarts: none,
    lastExit: { code: null, signal: "SIGTERM", reason: "stopped" }
  }
}

const nameOf = (ending: string, policy: Policy) => `${ending}-${policy}`
const second = (ending: Ending) => ending.keys === undefined ? "" : "serve=200"

describe("restart policy", () => {
  it.scopedLive("restarts after exactly those ends that the policy names, and says how each run ended", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: Object.fromEntries(
          Object.entries(endings).flatMap(([name, ending]) =>
            policies.map((policy) => [
              nameOf(name, policy),
              Fx.service({ ...Fx.eager, ...ending.keys, restart: policy }, ending.turn, second(ending))
            ])
          )
        )
      })
      yield* Effect.forEach(
        Object.entries(endings).flatMap(([name, ending]) => policies.map((policy) => ({ name, ending, policy }))),
        ({ ending, name, policy }) =>
          Effect.gen(function*() {
            const instance = nameOf(name, policy)
            if (ending.act !== undefined) yield* ending.act(machine, instance)
            if (name === "unhealthy" && policy === "never") {
              // Nothing may follow, so it is left running, and seen for what it is.
              yield* machine.until(instance, "unhealthy")
              return
            }
            const view = yield* machine.until(instance, ({ lastExit, nextStartAt, pid, state }) =>
              lastExit !== null &&
              (ending.restarts[policy] ? pid !== null : nextStartAt === null && state !== "stopping"))
            assert.deepInclude({ ...view.lastExit }, ending.lastExit, instance)
            assert.strictEqual(view.restarts, ending.restarts[policy] ? 1 : 0, instance)
            if (!ending.restarts[policy]) {
              const expected = ending.act !== undefined && ending.restarts === none
                ? "stopped"
                : ending.lastExit.code === 0 && ending.lastExit.reason === "exited"
                ? "completed"
                : "failed"
              assert.strictEqual(view.state, expected, instance)
            }
          }),
        { concurrency: 8, discard: true }
      )
      // Long enough for any restart that should not be: many times the delay.
      yield* Effect.sleep("400 millis")
      for (const [name, ending] of Object.entries(endings)) {
        for (const policy of policies) {
          const starts = yield* machine.starts(nameOf(name, policy))
          assert.strictEqual(starts.length, ending.restarts[policy] ? 2 : 1, nameOf(name, policy))
        }
      }
    }))

  it.scopedLive("a restart that a person asks for is not counted and not delayed, and lifts `failed`", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          steady: Fx.service({ restart: "always", backoff_base_ms: 60_000 }, "obey=TERM"),
          broken: Fx.service({ max_restarts: 0 }, "exit=1", "")
        }
      })
      const before = yield* machine.until("steady", "running")
      const asked = Fx.now()
      assert.strictEqual((yield* machine.ask("restart", "steady")).status, 200)
      const after = yield* machine.view("steady")
      const [, again] = yield* machine.starts("steady")
      assert.notStrictEqual(after.pid, before.pid)
      assert.strictEqual(after.restarts, 0)
      assert.strictEqual(after.lastExit?.reason, "stopped")
      assert.isBelow(again!.at - asked, 5000)

      yield* machine.until("broken", "failed")
      assert.strictEqual((yield* machine.ask("restart", "broken")).status, 200)
      assert.strictEqual((yield* machine.view("broken")).state, "running")
    }))

  it.scopedLive("depends_on holds a service back until what it needs is ready", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          web: Fx.service({ depends_on: ["cache", "db"] }, ""),
          cache: Fx.service({ depends_on: ["db"], readiness: "socket" }, "await=cache-may serve=200"),
          db: Fx.service({ readiness: "notify" }, "await=db-may notify")
        }
      })
      yield* machine.untilTruth("db started", "db", (entries) => entries.length > 0)
      assert.deepStrictEqual((yield* machine.describe("cache")).waitingFor, ["db"])
      yield* machine.touch("db-may")
      yield* machine.untilTruth("cache started", "cache", (entries) => entries.length > 0)
      assert.deepStrictEqual((yield* machine.describe("web")).waitingFor, ["cache"])
      yield* machine.touch("cache-may")
      yield* machine.until("web", "running")
      yield* machine.untilUp("web")
      const order = (yield* machine.truth()).filter(({ event }) => event === "start").map(({ instance }) => instance)
      assert.deepStrictEqual(order, ["db:default", "cache:default", "web:default"])
    }))
})
