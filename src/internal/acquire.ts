/** @internal */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/**
 * `Effect.acquireRelease` for what there is one of for each instance. That one keeps the fiber's whole state with every
 * finalizer: some kilobytes.
 */
export const acquire = <A, E, R>(
  resource: Effect.Effect<A, E, R>,
  release: (resource: A) => Effect.Effect<unknown>
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.tap(resource, (acquired) => Scope.addFinalizer(scope, Effect.suspend(() => release(acquired)))))
  )
