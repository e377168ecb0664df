/** @internal */
import * as Effect from "effect/Effect"
import type { Lack } from "./tools.ts"

/** What a trial gives: asked for by one at a time, and not again once it succeeded. */
export const once = <A>(trial: Effect.Effect<A, Lack>): Effect.Effect<A, Lack> => {
  const turn = Effect.unsafeMakeSemaphore(1)
  let found: { readonly value: A } | undefined
  return turn.withPermits(1)(Effect.suspend(() =>
    found === undefined
      ? Effect.tap(trial, (value) => Effect.sync(() => void (found = { value })))
      : Effect.succeed(found.value)
  ))
}
