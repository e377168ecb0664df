/**
 * Bounds how many starts are under way at once, so that five hundred services that come up together do not starve each
 * other of CPU.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

/**
 * `take` waits for a slot, first come first served, and gives what returns it. It is returned when the scope closes, and
 * after `longest` at the latest: a slow starter, or one that never gets ready, must not hold up the others.
 *
 * @since 0.1.0
 * @category tags
 */
export class StartSlots extends Context.Tag("tenement/actors/StartSlots")<StartSlots, {
  readonly take: Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
}>() {}

const longest = "1 second"

/**
 * All of them are free.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (slots: number): Context.Tag.Service<StartSlots> => {
  let free = slots
  // In order of arrival. Effect's semaphore wakes everyone who waits at each release, and here may wait a thousand.
  const waiting = new Set<Deferred.Deferred<void>>()

  const give = Effect.suspend((): Effect.Effect<unknown> => {
    const [next] = waiting
    if (next === undefined) {
      free++
      return Effect.void
    }
    waiting.delete(next)
    return Deferred.succeed(next, undefined)
  })

  const take = Effect.suspend(() => {
    if (free > 0) {
      free--
      return Effect.void
    }
    const turn = Deferred.unsafeMake<void>(FiberId.none)
    waiting.add(turn)
    // Whoever gives up after it was given a slot hands it on.
    return Deferred.await(turn).pipe(
      Effect.interruptible,
      Effect.onInterrupt(() => waiting.delete(turn) ? Effect.void : give)
    )
  })

  return {
    take: Effect.uninterruptible(Effect.gen(function*() {
      const scope = yield* Effect.scope
      yield* take
      let held = true
      const release = Effect.suspend(() => {
        if (!held) return Effect.void
        held = false
        return Effect.asVoid(give)
      })
      yield* Scope.addFinalizer(scope, release)
      yield* release.pipe(Effect.delay(longest), Effect.interruptible, Effect.forkIn(scope))
      return release
    }))
  }
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (slots: number): Layer.Layer<StartSlots> => Layer.sync(StartSlots, () => make(slots))
