import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Machine from "./Machine.ts"

/** Between the end of a run and the start of the next, in milliseconds. */
const gaps = (entries: ReadonlyArray<Fx.Entry>): ReadonlyArray<number> => {
  const starts = entries.filter(({ event }) => event === "start")
  const ends = entries.filter(({ event }) => event === "exit" || event === "die")
  return starts.slice(1).map((start, index) => start.at - ends[index]!.at)
}

/** Never early; late by what a busy machine may cost. */
const assertGap = (gap: number, least: number, most = least) => {
  assert.isAtLeast(gap, least - 5, `a start came ${least - gap} ms early`)
  assert.isBelow(gap, most + 1000, "a start came late")
}

const assertGaps = (found: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  assert.strictEqual(found.length, expected.length)
  for (const [index, delay] of expected.entries()) assertGap(found[index]!, delay)
}

const ladder: Fx.Table = {
  restart: "always",
  max_restarts: "unlimited",
  backoff_base_ms: 40,
  backoff_max_ms: 320,
  backoff_jitter: 0
}

const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

const startsOf = (entries: ReadonlyArray<Fx.Entry>) => entries.filter(({ event }) => event === "start").length

describe("restart delays", () => {
  it.scopedLive("double from the base to the cap, are shown while they run, and stay in the jitter's band", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          plain: Fx.service(ladder, ...times(7, "exit=1"), ""),
          jittered: Fx.service({ ...ladder, backoff_max_ms: 160, backoff_jitter: 0.5 }, ...times(10, "exit=1"), ""),
          slow: Fx.service({ ...ladder, backoff_base_ms: 700, backoff_max_ms: 700 }, "exit=1", "")
        }
      })
      // What is announced is what happens.
      const waiting = yield* machine.until("slow", ({ nextStartAt }) => nextStartAt !== null)
      const announced = Date.parse(waiting.nextStartAt!)
      const [next] = (yield* machine.untilTruth("slow again", "slow", (entries) => startsOf(entries) === 2)).slice(-1)
      const wall = Date.now() - (Fx.now() - next!.at)
      assert.isAtLeast(wall, announced - 10)
      assert.isBelow(wall, announced + 1000)

      const plain = yield* machine.untilTruth("7 restarts", "plain", (entries) => startsOf(entries) === 8)
      assertGaps(gaps(plain), [40, 80, 160, 320, 320, 320, 320])

      const jittered = gaps(yield* machine.untilTruth("10 restarts", "jittered", (entries) => startsOf(entries) === 11))
      const delays = jittered.map((_, index) => Math.min(40 * 2 ** index, 160))
      for (const [index, gap] of jittered.entries()) assertGap(gap, delays[index]! * 0.5, delays[index]! * 1.5)
      const shares = jittered.map((gap, index) => Math.round(gap / delays[index]! * 20))
      assert.isAbove(new Set(shares).size, 1, "jitter that is always the same is none")
    }))

  it.scopedLive("begin again at the base after health that lasted, and not after a run that was never healthy", () =>
    Effect.gen(function*() {
      const keys = {
        ...ladder,
        backoff_base_ms: 50,
        backoff_max_ms: 400,
        stable_after: "400 millis",
        health: "/health",
        health_interval: "50 millis",
        health_retries: 1000,
        readiness: "socket"
      }
      const crashes = times(4, "exit=1")
      const machine = yield* Machine.make({
        service: {
          well: Fx.service(keys, ...crashes, "serve=200", ""),
          ill: Fx.service(keys, ...crashes, "serve=500", "")
        }
      })
      for (const [name, expected] of [["well", 50], ["ill", 400]] as const) {
        const fifth = yield* machine.untilTruth(
          `${name} ran twice as long as it takes to be stable`,
          name,
          (entries) => {
            const start = entries.find(({ event }) => event === "listening")
            return start !== undefined && Fx.now() - start.at > 1200
          }
        )
        const view = yield* machine.view(name)
        assert.strictEqual(view.state, name === "well" ? "healthy" : "degraded")
        assertGaps(gaps(fifth), [50, 100, 200, 400])
        const killed = Fx.now()
        process.kill(view.pid!, "SIGKILL")
        const entries = yield* machine.untilTruth("a sixth run", name, (entries) => startsOf(entries) === 6)
        assertGap(entries.filter(({ event }) => event === "start")[5]!.at - killed, expected)
        if (name === "well") {
          assert.isBelow((yield* machine.describe(name)).restart.attempt, 2)
        } else {
          assert.strictEqual((yield* machine.describe(name)).restart.attempt, 5)
        }
      }
    }))
})

describe("while a restart is being waited for", () => {
  const waiting = Effect.gen(function*() {
    const keys = { ...ladder, backoff_base_ms: 1500, backoff_max_ms: 1500 }
    const machine = yield* Machine.make({
      service: Object.fromEntries(["one", "two", "three", "four"].map((name) => [name, Fx.service(keys, "exit=1", "")]))
    })
    for (const name of ["one", "two", "three", "four"]) yield* machine.until(name, "backoff")
    return machine
  })

  it.scopedLive("stop ends the wait at once, start and restart cut it short, rm forgets; the old timer never fires", () =>
    Effect.gen(function*() {
      const machine = yield* waiting
      const asked = Fx.now()
      assert.deepInclude(yield* machine.stop("one"), { changed: true, forced: false })
      assert.strictEqual((yield* machine.ask("start", "two")).status, 200)
      assert.strictEqual((yield* machine.ask("restart", "three")).status, 200)
      assert.strictEqual((yield* machine.api("/api/instances/four:default", { method: "DELETE" })).status, 204)
      assert.isBelow(Fx.now() - asked, 1400, "nothing waited for the delay")
      assert.deepInclude(yield* machine.view("one"), { state: "stopped", nextStartAt: null })
      assert.deepInclude(yield* machine.view("two"), { state: "running", nextStartAt: null, restarts: 0 })
      assert.strictEqual((yield* machine.api("/api/instances/four:default")).status, 404)
      yield* Effect.sleep("2 seconds")
      for (const [name, count] of [["one", 1], ["two", 2], ["three", 2], ["four", 1]] as const) {
        assert.strictEqual((yield* machine.starts(name)).length, count, name)
      }
    }))

  it.scopedLive("SIGTERM ends the supervisor without the delay", () =>
    Effect.gen(function*() {
      const machine = yield* waiting
      const asked = Fx.now()
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      assert.isBelow(Fx.now() - asked, 1400)
      yield* eventually("nothing is started after it", machine.truth(), (entries) => startsOf(entries) === 4)
    }))
})
