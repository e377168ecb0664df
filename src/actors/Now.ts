/**
 * The present moment.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Instant } from "../domain/Instant.ts"

/**
 * Both clocks, read through Effect so that a test's clock rules.
 *
 * @since 0.1.0
 * @category constructors
 */
export const now: Effect.Effect<Instant> = Effect.clockWith((clock) =>
  Effect.sync(() => ({
    mono: Number(clock.unsafeCurrentTimeNanos()) / 1e6,
    wall: clock.unsafeCurrentTimeMillis()
  }))
)
