/**
 * A supervisor: starts children in order, sees them end, and does what its strategy says, within its intensity.
 *
 * After OTP's `supervisor`. It knows nothing of processes: a child is anything that can be started in a scope and then
 * runs, be it an instance's actor, another supervisor, or a service that belongs to a group.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Intensity from "../domain/Intensity.ts"
import { round, type Strategy } from "../domain/Strategy.ts"
import { close } from "./Close.ts"

/**
 * How to start a child. `start` returns when the child is up, with the effect that is its running; whatever it acquires
 * belongs to the scope, which is closed to stop it. A running that fails or dies is a failure of the child; one that
 * succeeds means the child is done.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChildSpec {
  readonly id: string
  readonly start: Effect.Effect<Effect.Effect<void, unknown>, unknown, Scope.Scope>
}

/**
 * More failures than the intensity bears: the supervisor stopped its children and is itself a failed child now.
 *
 * @since 0.1.0
 * @category errors
 */
export class GaveUp extends Schema.TaggedError<GaveUp>()("GaveUp", {
  supervisor: Schema.String,
  child: Schema.String,
  restarts: Schema.Int,
  windowMs: Schema.Number
}) {
  override get message() {
    return `${this.supervisor} gave up: ${this.child} failed after ${this.restarts} restarts in ${this.windowMs} ms`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name: string
  readonly strategy: Strategy
  readonly intensity: Intensity.Intensity
  /** The restarts that count already. */
  readonly history?: Intensity.History
  /** Told what counts, before a round is made. */
  readonly onRound?: (history: Intensity.History) => Effect.Effect<void>
  /** Told of each failure before anything is done about it. */
  readonly onFailure?: (id: string, cause: Cause.Cause<unknown>) => Effect.Effect<void>
  /** Waits between the stops and the starts of a round. */
  readonly beforeStart?: (failed: string) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Supervisor {
  readonly name: string
  readonly strategy: Strategy
  /**
   * Starts a child after those there are; there must be none of that id. A child whose start fails is kept, and treated
   * as any failure.
   */
  readonly add: (spec: ChildSpec) => Effect.Effect<void>
  /** Stops a child and forgets it. */
  readonly remove: (id: string) => Effect.Effect<void>
  /** The children in start order, and how often each was started again. */
  readonly children: Effect.Effect<
    ReadonlyArray<{ readonly id: string; readonly up: boolean; readonly restarts: number }>
  >
  /** The supervising itself: answers failures for ever, or fails when it gives up. */
  readonly run: Effect.Effect<never, GaveUp>
}

interface Child {
  readonly spec: ChildSpec
  scope: Scope.CloseableScope | null
  /** Set by the child's own fiber when it ends, until the supervisor has seen to it. */
  ended: Exit.Exit<void, unknown> | null
  restarts: number
}

/**
 * Makes a supervisor. Its children live in the scope, and stop in reverse start order when it closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const children = new Map<string, Child>()
  const changed = yield* Effect.makeLatch(false)
  // One change at a time: a round, an addition or a removal.
  const oneAtATime = yield* Effect.makeSemaphore(1)
  const scope = yield* Effect.scope
  // Closed after `stopAll`, which knows the order.
  const nursery = yield* Scope.fork(scope, { _tag: "Sequential" })
  let history = options.history ?? Intensity.empty

  const stop = (child: Child) =>
    Effect.suspend(() => {
      const scope = child.scope
      child.scope = null
      child.ended = null
      return scope === null ? Effect.void : close(scope)
    })

  /** The child's fiber says how it ended; nothing is queued, so nothing can overflow. */
  const begin = (child: Child): Effect.Effect<boolean> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(nursery, { _tag: "Sequential" })
        const ended = (exit: Exit.Exit<void, unknown>) => {
          if (child.scope !== scope) return
          child.ended = exit
          changed.unsafeOpen()
        }
        child.scope = scope
        child.ended = null
        const started = yield* Effect.exit(restore(Scope.extend(child.spec.start, scope)))
        if (Exit.isFailure(started)) {
          // If it is the supervisor that is interrupted, nobody else can stop what the start has acquired.
          if (Exit.isInterrupted(started)) yield* Effect.onInterrupt(restore(Effect.void), () => stop(child))
          ended(Exit.asVoid(started))
          return false
        }
        // A child asks nothing of its environment, and there are many: none should keep all of it in memory. For the same
        // reason its end is observed, and not a part of what it runs.
        const fiber = yield* Effect.interruptible(started.value).pipe(
          Effect.forkIn(scope),
          Effect.mapInputContext((_: Context.Context<never>) => Context.empty())
        )
        fiber.addObserver(ended)
        return true
      })
    )

  const makeRound = (failed: Child) =>
    Effect.gen(function*() {
      const members = round(options.strategy, [...children.keys()], failed.spec.id)
      for (const id of members.stop) {
        const child = children.get(id)
        if (child !== undefined) yield* stop(child)
      }
      if (options.beforeStart !== undefined) yield* options.beforeStart(failed.spec.id)
      for (const id of members.start) {
        const child = children.get(id)
        if (child === undefined) continue
        child.restarts++
        // The next round begins with the one that did not start.
        if (!(yield* begin(child))) return
      }
    }).pipe(Effect.withSpan("Supervisor.round"))

  const seeTo = (failed: Child, cause: Cause.Cause<unknown>) =>
    Effect.gen(function*() {
      if (options.onFailure !== undefined) yield* options.onFailure(failed.spec.id, cause)
      const now = Number(yield* Clock.currentTimeNanos) / 1e6
      if (!Intensity.allows(options.intensity, history, now)) {
        const { max, windowMs } = options.intensity
        yield* stopAll
        return yield* new GaveUp({ supervisor: options.name, child: failed.spec.id, restarts: max, windowMs })
      }
      history = Intensity.record(options.intensity, history, now)
      if (options.onRound !== undefined) yield* options.onRound(history)
      yield* makeRound(failed)
    })

  const stopAll = Effect.suspend(() => Effect.forEach([...children.values()].reverse(), stop, { discard: true }))

  const next: Effect.Effect<void, GaveUp> = oneAtATime.withPermits(1)(Effect.suspend(() => {
    for (const child of children.values()) {
      const exit = child.ended
      if (exit === null) continue
      if (Exit.isSuccess(exit)) return Effect.asVoid(stop(child))
      return seeTo(child, exit.cause)
    }
    return Effect.asVoid(changed.close)
  }))

  yield* Scope.addFinalizer(scope, stopAll)

  const supervisor: Supervisor = {
    name: options.name,
    strategy: options.strategy,
    add: (spec) =>
      oneAtATime.withPermits(1)(Effect.suspend(() => {
        if (children.has(spec.id)) return Effect.dieMessage(`${options.name} has a child ${spec.id} already`)
        const child: Child = { spec, scope: null, ended: null, restarts: 0 }
        children.set(spec.id, child)
        return Effect.asVoid(begin(child))
      })),
    remove: (id) =>
      oneAtATime.withPermits(1)(Effect.suspend(() => {
        const child = children.get(id)
        if (child === undefined) return Effect.void
        children.delete(id)
        return stop(child)
      })),
    children: Effect.sync(() =>
      [...children.values()].map((child) => ({
        id: child.spec.id,
        up: child.scope !== null && child.ended === null,
        restarts: child.restarts
      }))
    ),
    run: Effect.forever(Effect.zipRight(changed.await, next))
  }
  return supervisor
})
