import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { type Exponential, exponentialSchedule, stepper } from "../../src/layers/Backoff.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

/** The delays of `n` restarts in a row, with these numbers for luck. */
const delays = (options: Exponential, n: number, seed: number) => {
  const { next } = stepper(exponentialSchedule(options))
  return Effect.forEach(Array.from({ length: n }), () => Effect.map(next, Option.getOrThrow)).pipe(
    Effect.withRandom(Random.make(seed))
  )
}

/** A sum of a date and a fraction of a millisecond loses some of the fraction. */
const near = (delay: number, expected: number) => assert.closeTo(delay, expected, 0.001)

describe("the exponential backoff", () => {
  it.effect.prop(
    "waits min(base · 2^n, max), more or less its jitter, for any n",
    [Arbitraries.backoff, FC.integer({ min: 1, max: 100 }), FC.nat(), FC.nat(4_000_000_000_000)],
    ([options, n, seed, now]) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        const { baseMs, jitter, maxMs } = options
        for (const [index, delay] of (yield* delays(options, n, seed)).entries()) {
          const middle = Math.min(baseMs * 2 ** index, maxMs)
          assert.isTrue(Number.isFinite(delay) && delay >= 0)
          assert.isAtLeast(delay, middle * (1 - jitter) - 0.001)
          assert.isAtMost(delay, middle * (1 + jitter) + 0.001)
        }
      })
  )

  it.effect.prop(
    "without jitter is exact",
    [Arbitraries.backoff, FC.nat(1100)],
    ([{ baseMs, maxMs }, n]) =>
      Effect.gen(function*() {
        const all = yield* delays({ baseMs, maxMs, jitter: 0 }, n + 1, 0)
        near(all[n]!, Math.min(baseMs === 0 ? 0 : baseMs * 2 ** n, maxMs))
      }),
    { fastCheck: { numRuns: 30 } }
  )

  it.effect("with jitter uses the whole of it", () =>
    Effect.gen(function*() {
      const [first] = yield* Effect.forEach([0], () => delays({ baseMs: 1000, maxMs: 1000, jitter: 0.5 }, 500, 1))
      assert.isBelow(Math.min(...first!), 550)
      assert.isAbove(Math.max(...first!), 1450)
      assert.closeTo(first!.reduce((sum, delay) => sum + delay) / first!.length, 1000, 50)
    }))
})

describe("a stepper", () => {
  const inARow = (n: number) => ({ next }: ReturnType<typeof stepper>) =>
    Effect.forEach(Array.from({ length: n }), () => Effect.map(next, Option.getOrNull))

  it.effect.prop(
    "begins anew after a reset, wherever it was",
    [FC.nat(30), FC.nat(30)],
    ([before, after]) =>
      Effect.gen(function*() {
        const schedule = exponentialSchedule({ baseMs: 100, maxMs: 60_000, jitter: 0 })
        const used = stepper(schedule)
        yield* inARow(before)(used)
        yield* used.reset
        assert.deepStrictEqual(yield* inARow(after)(used), yield* inARow(after)(stepper(schedule)))
      })
  )

  it.effect("shares nothing with another of the same schedule", () =>
    Effect.gen(function*() {
      const schedule = Schedule.fibonacci("100 millis")
      const [one, other] = [stepper(schedule), stepper(schedule)]
      assert.deepStrictEqual(yield* inARow(4)(one), [100, 100, 200, 300])
      assert.deepStrictEqual(yield* inARow(3)(other), [100, 100, 200])
    }))

  it.effect("tells when the schedule is done, and goes on after a reset", () =>
    Effect.gen(function*() {
      const made = stepper(Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(2)))
      assert.deepStrictEqual(yield* inARow(3)(made), [1000, 1000, null])
      yield* made.reset
      assert.deepStrictEqual(yield* inARow(1)(made), [1000])
    }))

  it.effect("asks the clock, and does not sleep", () =>
    Effect.gen(function*() {
      const made = stepper(Schedule.fixed("1 minute"))
      assert.deepStrictEqual(yield* inARow(1)(made), [60_000])
      yield* TestClock.adjust("75 seconds")
      assert.deepStrictEqual(yield* inARow(1)(made), [45_000])
    }))
})
