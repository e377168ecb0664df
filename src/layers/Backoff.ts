/**
 * How long to wait before a restart: any effect `Schedule`, stepped once per restart in a row.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as Interval from "effect/ScheduleInterval"
import * as Intervals from "effect/ScheduleIntervals"

/**
 * The schedule of an instance's restarts. It sees no input, its output is ignored, its delays count; when it is done,
 * the instance is given up.
 *
 * @since 0.1.0
 * @category tags
 */
export class Backoff extends Context.Tag("tenement/layers/Backoff")<Backoff, {
  readonly schedule: Schedule.Schedule<unknown>
}>() {}

/**
 * Any schedule as backoff.
 *
 * @example
 * ```ts
 * import * as Schedule from "effect/Schedule"
 * import { Backoff } from "tenement"
 *
 * // 50 ms, 50 ms, 100 ms, 150 ms, 250 ms, … for 20 restarts in a row
 * export const fibonacci = Backoff.fromSchedule(
 *   Schedule.fibonacci("50 millis").pipe(Schedule.intersect(Schedule.recurs(20)))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const fromSchedule = (schedule: Schedule.Schedule<unknown>): Layer.Layer<Backoff> =>
  Layer.succeed(Backoff, { schedule })

/**
 * The numbers of an exponential backoff, in milliseconds; `jitter` is a share from 0 to 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exponential {
  readonly baseMs: number
  readonly maxMs: number
  readonly jitter: number
}

/**
 * `min(base · 2^n, max)` for the n-th restart in a row, then a random share of up to `jitter` more or less.
 *
 * @since 0.1.0
 * @category constructors
 */
export const exponentialSchedule = ({ baseMs, jitter, maxMs }: Exponential): Schedule.Schedule<number> =>
  Schedule.makeWithState(0, (now, _, n: number) =>
    Effect.map(Random.next, (random) => {
      const delay = Math.min(baseMs * 2 ** Math.min(n, 64), maxMs) * (1 + jitter * (2 * random - 1))
      return [n + 1, delay, ScheduleDecision.continueWith(Interval.after(now + delay))] as const
    }))

/**
 * The backoff of the file's `backoff_*` keys.
 *
 * @since 0.1.0
 * @category layers
 */
export const exponential = (options: Exponential): Layer.Layer<Backoff> => fromSchedule(exponentialSchedule(options))

/**
 * The same delay each time.
 *
 * @since 0.1.0
 * @category layers
 */
export const constant = (delay: Duration.DurationInput): Layer.Layer<Backoff> => fromSchedule(Schedule.spaced(delay))

/**
 * A schedule that is asked for its delays without sleeping: the instance's actor arms its own timer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stepper {
  /** The next delay in milliseconds; `None` when the schedule is done. */
  readonly next: Effect.Effect<Option.Option<number>>
  /**
   * The delay before this restart in a row, counted from 0. Where the schedule is not there, since it is new or was stepped
   * for a restart that never was, it is brought there first.
   */
  readonly at: (attempt: number) => Effect.Effect<Option.Option<number>>
  /** Begins again: the next delay is the first one. */
  readonly reset: Effect.Effect<void>
}

/**
 * Steps a schedule. Each stepper has a state of its own; never share one between instances.
 *
 * @internal
 */
export const stepper = (schedule: Schedule.Schedule<unknown>): Stepper => {
  let state: unknown = schedule.initial
  let taken = 0
  const next = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    taken++
    const [next, , decision] = yield* schedule.step(now, undefined, state)
    state = next
    return ScheduleDecision.isDone(decision)
      ? Option.none()
      : Option.some(Math.max(0, Intervals.start(decision.intervals) - now))
  })
  const reset = Effect.sync(() => {
    state = schedule.initial
    taken = 0
  })
  return {
    next,
    reset,
    at: (attempt) =>
      Effect.suspend(() => taken === attempt ? next : Effect.zipRight(reset, Effect.repeatN(next, attempt)))
  }
}
