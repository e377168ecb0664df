/** @internal */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"

/**
 * A clean-up step that is given up after a while. Finalizers are uninterruptible, so the step must be made
 * interruptible first or the deadline never comes; the other way round, the step of an interrupted fiber is skipped.
 */
export const bounded: {
  (
    deadline: Duration.DurationInput
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    deadline: Duration.DurationInput
  ): Effect.Effect<Option.Option<A>, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, deadline: Duration.DurationInput) =>
    self.pipe(Effect.interruptible, Effect.timeoutOption(deadline))
)
