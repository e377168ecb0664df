/**
 * The end of a scope, and all of it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

/**
 * Closes a scope, whoever is interrupted meanwhile: what a fiber had not come to would never be released.
 *
 * It is done by a fiber of its own. A finalizer of `Effect.addFinalizer` runs with the FiberRefs that it was added with,
 * and effect 3.22.4 puts those of the closing fiber back afterwards as they were before: an interruption that came
 * meanwhile is forgotten if it was not the first finalizer. https://github.com/Effect-TS/effect/pull/8271 mended the other
 * direction.
 *
 * @since 0.1.0
 * @category combinators
 */
export const close = (scope: Scope.CloseableScope): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.fork(Scope.close(scope, Exit.void)), (fiber) => Effect.flatten(Fiber.await(fiber)))
  )
