/**
 * The present moment.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Instant } from "../domain/Instant.ts"

/**
 * The monotonic clock as a plain function, for where an effect would cost too much. Milliseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const mono = (clock: Clock.Clock) => (): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * Both clocks, read through Effect so that a test's clock rules.
 *
 * @since 0.1.0
 * @category constructors
 */
export const now: Effect.Effect<Instant> = Effect.clockWith((clock) =>
  Effect.sync(() => ({
    mono: mono(clock)(),
    wall: clock.unsafeCurrentTimeMillis()
  }))
)
