import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fx from "./Fx.ts"
import * as Machine from "./Machine.ts"
import * as Proc from "./Proc.ts"

const quick: Fx.Table = { restart: "always", backoff_base_ms: 20, backoff_max_ms: 20, backoff_jitter: 0 }

describe("restart intensity", () => {
  it.scopedLive("bears as many restarts in the window as the file says, and not one more", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          three: Fx.service({ ...quick, max_restarts: 3, restart_window: 30 }, "exit=1"),
          zero: Fx.service({ ...quick, max_restarts: 0 }, "exit=1"),
          // Every 320 ms or later: never more than three within 900 ms.
          spaced: Fx.service({ ...quick, max_restarts: 3, restart_window: "900 millis" }, "sleep=0.3 exit=1"),
          unlimited: Fx.service({ ...quick, max_restarts: "unlimited", restart_window: 30 }, "exit=1")
        }
      })
      for (const [name, runs] of [["three", 4], ["zero", 1]] as const) {
        const view = yield* machine.until(name, "failed")
        assert.strictEqual(view.restarts, runs - 1)
        assert.strictEqual(view.nextStartAt, null)
        assert.strictEqual((yield* machine.starts(name)).length, runs)
        const last = (yield* machine.describe(name)).history.at(-1)
        assert.deepInclude(last, { to: "failed" })
        assert.deepInclude(last?.cause, { _tag: "IntensityExceeded", restarts: runs - 1 })
      }
      yield* machine.untilTruth(
        "10 restarts",
        "spaced",
        (entries) => entries.filter(({ event }) => event === "start").length > 10
      )
      yield* machine.untilTruth(
        "25 restarts",
        "unlimited",
        (entries) => entries.filter(({ event }) => event === "start").length > 25
      )
      assert.notStrictEqual((yield* machine.view("spaced")).state, "failed")
      assert.notStrictEqual((yield* machine.view("unlimited")).state, "failed")
      // Silence afterwards, over a reload, until a person starts it.
      assert.strictEqual((yield* machine.api("/api/reload", { method: "POST" })).status, 200)
      assert.strictEqual((yield* machine.starts("three")).length, 4)
      assert.strictEqual((yield* machine.view("three")).state, "failed")
    }))

  it.scopedLive("a person's start gives a failed instance its whole intensity back", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: { web: Fx.service({ ...quick, max_restarts: 2, restart_window: 60 }, "exit=1") }
      })
      yield* machine.until("web", "failed")
      const answer = yield* machine.ask("start", "web")
      assert.oneOf(answer.status, [200, 409])
      yield* machine.untilTruth("3 more runs", "web", (entries) =>
        entries.filter(({ event }) =>
          event === "start"
        ).length >= 6)
      yield* machine.until("web", "failed")
      assert.strictEqual((yield* machine.starts("web")).length, 6)
    }))

  it.scopedLive("one instance that crashes for ever, and one that cannot start, leave their neighbours alone", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 18 }, (_, index) => `n${index}`)
      const machine = yield* Machine.make({
        service: {
          quiet: Fx.service({ ...quick, instances: ids }, ""),
          noisy: Fx.service({ ...quick, max_restarts: 5, restart_window: 60 }, "exit=1"),
          missing: { ...Fx.service({ ...quick, max_restarts: 5, restart_window: 60 }), command: "/no/such/program" }
        }
      })
      const quiet = Effect.map(
        machine.list,
        (views) =>
          views.filter(({ service }) => service === "quiet").map(({ pid, restarts, state }) => ({
            state,
            restarts,
            process: Proc.identity(pid ?? 0)
          }))
      )
      for (const id of ids) yield* machine.until(`quiet:${id}`, "running")
      const before = yield* quiet
      assert.strictEqual(before.length, 18)
      yield* machine.until("noisy", "failed")
      yield* machine.until("missing", "failed")
      assert.deepStrictEqual(yield* quiet, before)
      assert.strictEqual((yield* machine.starts("noisy")).length, 6)
      assert.strictEqual((yield* machine.view("missing")).restarts, 5)
    }))
})
