import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { bounded } from "../../src/internal/bounded.ts"

/** Runs `step` as a bounded finalizer, of a scope that closes by itself or whose fiber is interrupted. */
const finalizing = (step: Effect.Effect<void>, interrupted: boolean) =>
  Effect.gen(function*() {
    const acquired = yield* Deferred.make<void>()
    const fiber = yield* Effect.acquireRelease(Deferred.succeed(acquired, undefined), () => bounded(step, "2 seconds"))
      .pipe(
        Effect.zipRight(interrupted ? Effect.never : Effect.void),
        Effect.scoped,
        Effect.fork
      )
    yield* Deferred.await(acquired)
    return yield* Effect.fork(interrupted ? Fiber.interrupt(fiber) : Fiber.await(fiber))
  })

describe("bounded", () => {
  for (const interrupted of [false, true]) {
    const when = interrupted ? "whose fiber was interrupted" : "that closes by itself"

    it.effect(`a step that never ends is given up at the deadline, in a scope ${when}`, () =>
      Effect.gen(function*() {
        const closing = yield* finalizing(Effect.never, interrupted)
        yield* TestClock.adjust("1999 millis")
        assert.isNull(closing.unsafePoll())
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
      }))

    it.effect(`a step that ends in time is waited for, in a scope ${when}`, () =>
      Effect.gen(function*() {
        let done = false
        const step = Effect.sleep("1 second").pipe(Effect.zipRight(Effect.sync(() => {
          done = true
        })))
        const closing = yield* finalizing(step, interrupted)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(closing)
        assert.isTrue(done)
      }))
  }
})
