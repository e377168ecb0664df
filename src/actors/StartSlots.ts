/**
 * Bounds how many starts are under way at once, so that five hundred services that come up together do not starve each
 * other of CPU.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/**
 * `take` waits for a slot, first come first served, and keeps it until the scope closes, but for `longest` at most: a
 * slow starter, or one that never gets ready, must not hold up the others.
 *
 * @since 0.1.0
 * @category tags
 */
export class StartSlots extends Context.Tag("tenement/actors/StartSlots")<StartSlots, {
  readonly take: Effect.Effect<void, never, Scope.Scope>
}>() {}

const longest = "1 second"

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (slots: number): Layer.Layer<StartSlots> =>
  Layer.sync(StartSlots, () => {
    const semaphore = Effect.unsafeMakeSemaphore(slots)
    return {
      take: Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* restore(semaphore.take(1))
          let held = true
          const release = Effect.suspend(() => {
            if (!held) return Effect.void
            held = false
            return Effect.asVoid(semaphore.release(1))
          })
          yield* Effect.addFinalizer(() => release)
          yield* release.pipe(Effect.delay(longest), Effect.interruptible, Effect.forkScoped)
        })
      )
    }
  })
