import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { exponentialSchedule } from "../../src/layers/Backoff.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"
import * as Laws from "../../src/testkit/Laws.ts"

const broken = (options: Laws.ScheduleOptions, parameters = {}) =>
  Effect.flip(Laws.schedule(options, { numRuns: 500, seed: 7, ...parameters }))
/** What is not the same twice cannot be made smaller. */
const asFound = { endOnFailure: true }

describe("schedules that keep the laws", () => {
  const kept: Record<string, Laws.ScheduleOptions> = {
    "the same delay each time": { schedule: Schedule.spaced("1 second"), min: 1000, max: 1000, grows: true },
    "growth up to a cap": {
      schedule: Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("5 seconds"))),
      min: 100,
      max: 5000,
      grows: true
    },
    "a number of times": {
      schedule: Schedule.fibonacci("50 millis").pipe(Schedule.intersect(Schedule.recurs(20))),
      min: 50,
      max: 547_300,
      grows: true,
      ends: 20
    },
    "not at all": { schedule: Schedule.stop, min: 0, max: 0, ends: 0 },
    "jitter": { schedule: Schedule.jittered(Schedule.spaced("1 second")), min: 800, max: 1200 },
    "times of the clock": { schedule: Schedule.fixed("1 minute"), min: 0, max: 60_000 }
  }

  it.effect.each(Object.keys(kept))("%s", (name) => Laws.schedule(kept[name]!))

  it("are a property like any other", () =>
    FC.assert(Laws.scheduleProperty({ schedule: Schedule.spaced("1 second"), min: 1000, max: 1000 })))

  it.effect.prop("the file's own, whatever its numbers", [Arbitraries.backoff], ([options]) => {
    const { baseMs, jitter, maxMs } = options
    const first = Math.min(baseMs, maxMs)
    return Laws.schedule({
      schedule: exponentialSchedule(options),
      min: first * (1 - jitter),
      max: maxMs * (1 + jitter),
      grows: jitter === 0
    }, { numRuns: 10 })
  }, { fastCheck: { numRuns: 20 } })
})

describe("schedules that break a law", () => {
  it.effect("wait too long", () =>
    Effect.gen(function*() {
      const error = yield* broken({ schedule: Schedule.exponential("100 millis"), min: 100, max: 1000 })
      assert.strictEqual(error.law, "every delay is from 100 to 1000 ms")
      assert.strictEqual(error.detail, "restart 5 in a row waits 1600 ms")
      // The smallest history that shows it.
      assert.deepStrictEqual(error.delays, [100, 200, 400, 800, 1600])
      assert.include(error.message, "  ran 0 ms: 1600 ms")
    }))

  it.effect("wait too short", () =>
    Effect.gen(function*() {
      const schedule = Schedule.jittered(Schedule.spaced("1 second"))
      const error = yield* broken({ schedule, min: 900, max: 1200 })
      assert.strictEqual(error.law, "every delay is from 900 to 1200 ms")
    }))

  it.effect("end when they should not, or at another time", () =>
    Effect.gen(function*() {
      const schedule = Schedule.recurs(3)
      const never = yield* broken({ schedule, min: 0, max: 0 })
      assert.strictEqual(`${never.law}: ${never.detail}`, "it never ends: restart 4 in a row got done")
      const late = yield* broken({ schedule, min: 0, max: 0, ends: 2 })
      assert.strictEqual(late.detail, "restart 3 in a row got 0 ms")
      const early = yield* broken({ schedule, min: 0, max: 0, ends: 4 })
      assert.strictEqual(early.detail, "restart 4 in a row got done")
    }))

  it.effect("shrink", () =>
    Effect.gen(function*() {
      const schedule = Schedule.fromDelays("1 second", "3 seconds", "2 seconds", "4 seconds")
      const error = yield* broken({ schedule, min: 1000, max: 4000, ends: 4, grows: true })
      assert.strictEqual(error.detail, "restart 3 in a row waits 2000 ms, the one before 3000 ms")
    }))

  it.effect("keep something that all instances share", () =>
    Effect.gen(function*() {
      const count = yield* Ref.make(0)
      const schedule = Schedule.modifyDelayEffect(
        Schedule.spaced(0),
        () => Ref.updateAndGet(count, (n) => Math.min(n + 1, 10))
      )
      const error = yield* broken({ schedule, min: 1, max: 10 }, asFound)
      assert.include(error.message, "the schedule breaks the law")
      assert.include(
        ["the same history and the same luck give the same delays", "after a reset it begins anew"],
        error.law
      )
    }))

  it.effect("draw lots of their own", () =>
    Effect.gen(function*() {
      const schedule = Schedule.modifyDelay(Schedule.spaced(0), () => Math.random() * 1000)
      const error = yield* broken({ schedule, min: 0, max: 1000 }, asFound)
      assert.strictEqual(error.law, "the same history and the same luck give the same delays")
    }))

  it.effect("have a defect, which is told as it is", () =>
    Effect.gen(function*() {
      const schedule = Schedule.modifyDelayEffect(Schedule.spaced(0), () => Effect.die(new Error("no idea")))
      const cause = yield* Effect.sandbox(Effect.asVoid(Laws.schedule({ schedule, min: 0, max: 1000 }))).pipe(
        Effect.flip
      )
      assert.include(Cause.pretty(cause), "no idea")
    }))
})

describe("the time that schedules are shown", () => {
  it.effect("is the history's alone", () =>
    Effect.gen(function*() {
      const real = yield* Effect.withClock(Clock.currentTimeMillis, Clock.make())
      const schedule = Schedule.modifyDelayEffect(Schedule.spaced(0), () =>
        Effect.map(Clock.currentTimeMillis, (now) => Math.abs(now - real) < 1000 ? 1 : 0))
      yield* Laws.schedule({ schedule, min: 0, max: 0 })
    }))
})

describe("Laws.schedule", () => {
  it.effect("runs as the fiber that asks", () =>
    Effect.gen(function*() {
      const unit = yield* FiberRef.make(1)
      const schedule = Schedule.addDelayEffect(Schedule.forever, () => FiberRef.get(unit))
      yield* Effect.locally(Laws.schedule({ schedule, min: 1000, max: 1000 }, { numRuns: 10 }), unit, 1000)
      assert.strictEqual((yield* broken({ schedule, min: 1000, max: 1000 })).detail, "restart 1 in a row waits 1 ms")
    }).pipe(Effect.scoped))

  it.effect("ends with the fiber that asks, and so does what it runs", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const stuck = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(
        Effect.onInterrupt(() => Deferred.succeed(ended, undefined))
      )
      const schedule = Schedule.mapEffect(Schedule.forever, () => stuck)
      const fiber = yield* Effect.fork(Laws.schedule({ schedule, min: 0, max: 0 }, { numRuns: 10 }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(ended)
    }))
})
