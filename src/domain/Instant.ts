/**
 * A moment, told by two clocks.
 *
 * @since 0.1.0
 */

/**
 * `mono` (milliseconds of the monotonic clock) is what every rule counts with: a step of the wall clock must not
 * restart, delay or fail anything. `wall` (milliseconds since 1970) is only ever shown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Instant {
  readonly mono: number
  readonly wall: number
}

/**
 * The moment that lies `ms` milliseconds later.
 *
 * @since 0.1.0
 * @category combinators
 */
export const plus = (instant: Instant, ms: number): Instant => ({ mono: instant.mono + ms, wall: instant.wall + ms })

/**
 * Milliseconds from one moment to a later one, by the monotonic clock.
 *
 * @since 0.1.0
 * @category combinators
 */
export const elapsed = (from: Instant, to: Instant): number => to.mono - from.mono
