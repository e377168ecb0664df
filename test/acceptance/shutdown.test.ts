import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import * as Machine from "./Machine.ts"

/** All instances run, and are through their steps. */
const allUp = (machine: Machine.Machine, count: number) =>
  Effect.gen(function*() {
    const views = yield* eventually("all run", machine.list, (views) =>
      views.filter(({ state }) =>
        state === "running"
      ).length === count)
    yield* machine.untilUp(...views.map(({ name }) => name))
  })

describe("shutdown", () => {
  it.scopedLive("stops many at once, lets the slow ones finish, kills the deaf one at its own deadline", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 30 }, (_, index) => `n${index}`)
      const machine = yield* Machine.make({
        settings: { start_concurrency: 8 },
        service: {
          slow: Fx.service({ instances: ids, stop_timeout: 20 }, "obey=TERM,1"),
          deaf: Fx.service({ stop_timeout: "2s" }, "ignore=TERM")
        }
      })
      yield* allUp(machine, 31)
      const asked = Fx.now()
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      const took = Fx.now() - asked
      assert.isAtLeast(took, 1995)
      assert.isBelow(took, 8000, "one after the other would take half a minute")
      const truth = yield* machine.truth()
      assert.strictEqual(truth.filter(({ event }) => event === "exit").length, 30, "each had its time")
      assert.strictEqual(truth.filter(({ event }) => event === "signal").length, 30, "one signal each")
      assert.isTrue(Either.isLeft(yield* Effect.either(Http.request(machine.socket, "/health"))))
    }))

  it.scopedLive("goes against the order of depends_on", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          web: Fx.service({ depends_on: ["api"] }, "obey=TERM,0.2"),
          api: Fx.service({ depends_on: ["db", "cache"] }, "obey=TERM,0.2"),
          cache: Fx.service({ depends_on: ["db"] }, "obey=TERM,0.2"),
          db: Fx.service({}, "obey=TERM,0.2")
        }
      })
      yield* allUp(machine, 4)
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      const order = (yield* machine.truth()).filter(({ event }) => event === "signal" || event === "exit")
        .map(({ event, instance }) => `${instance.split(":")[0]} ${event}`)
      assert.deepStrictEqual(order, [
        "web signal",
        "web exit",
        "api signal",
        "api exit",
        "cache signal",
        "cache exit",
        "db signal",
        "db exit"
      ])
    }))

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.scopedLive(`a second ${signal} sends no second signal and leaves no process`, () =>
      Effect.gen(function*() {
        const machine = yield* Machine.make({
          service: {
            slow: Fx.service({ stop_timeout: 20 }, "obey=TERM,0.8"),
            child: Fx.service({}, "child obey=TERM,0.8")
          }
        })
        yield* allUp(machine, 2)
        yield* machine.supervisor.signal(signal)
        yield* machine.untilTruth("it was told", "slow", (entries) => entries.some(({ event }) => event === "signal"))
        yield* machine.supervisor.signal(signal)
        yield* machine.supervisor.signal(signal)
        const exit = yield* machine.supervisor.exited
        if (signal === "SIGTERM") {
          assert.deepStrictEqual(exit, { code: 0, signal: null })
          const events = (yield* machine.truth("slow")).map(({ event }) => event)
          assert.deepStrictEqual(events, ["start", "up", "signal", "exit"], "the grace was not cut")
        }
      }))
  }

  it.scopedLive("while instances start, wait for a restart, and wait for others", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        settings: { start_concurrency: 1 },
        service: {
          starting: Fx.service({ readiness: "socket" }, ""),
          waiting: Fx.service({ depends_on: ["starting"] }, ""),
          crashing: Fx.service(
            { max_restarts: "unlimited", backoff_base_ms: 60_000, backoff_max_ms: 60_000 },
            "exit=1"
          ),
          hasty: Fx.service({ ...Fx.eager, restart: "always" }, "exit=0")
        }
      })
      yield* machine.untilUp("starting")
      const asked = Fx.now()
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      assert.isBelow(Fx.now() - asked, 8000)
      const last = (yield* machine.truth()).length
      yield* Effect.sleep("300 millis")
      assert.strictEqual((yield* machine.truth()).length, last, "nothing starts afterwards")
    }))

  it.scopedLive("SIGUSR1, which opens Node's debugger for anybody, is no end and opens nothing", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({ service: { web: Fx.service({}, "") } })
      yield* allUp(machine, 1)
      for (let again = 0; again < 20; again++) {
        yield* machine.supervisor.signal("SIGUSR1")
        yield* machine.list
      }
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      assert.notInclude(yield* machine.supervisor.stderr, "Debugger")
    }))
})
