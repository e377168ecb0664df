/**
 * Restart intensity: how many automatic restarts fit into a window before a supervisor gives up.
 *
 * The rule is OTP's (`supervisor`, intensity and period), counted per instance, with a sliding window whose two ends
 * both belong to it, on the monotonic clock.
 *
 * @since 0.1.0
 */

/**
 * `max` restarts within `windowMs` milliseconds are borne, one more is not. `max` 0 makes the first crash final,
 * `Infinity` never gives up.
 *
 * @since 0.1.0
 * @category models
 */
export interface Intensity {
  readonly max: number
  readonly windowMs: number
}

/**
 * Never gives up.
 *
 * @since 0.1.0
 * @category constants
 */
export const unlimited: Intensity = { max: Infinity, windowMs: 0 }

/**
 * The monotonic times (ms) of the restarts that still matter, oldest first.
 *
 * @since 0.1.0
 * @category models
 */
export type History = ReadonlyArray<number>

/**
 * No restart yet.
 *
 * @since 0.1.0
 * @category constants
 */
export const empty: History = []

/**
 * Whether a restart at `at` would still be within the intensity.
 *
 * @since 0.1.0
 * @category combinators
 */
export const allows = (intensity: Intensity, history: History, at: number): boolean => {
  let within = 1
  for (const restart of history) if (restart >= at - intensity.windowMs) within++
  return within <= intensity.max
}

/**
 * The history with a restart at `at`, without those that no later window can reach.
 *
 * @since 0.1.0
 * @category combinators
 */
export const record = (intensity: Intensity, history: History, at: number): History =>
  intensity.max === Infinity
    ? empty
    : [...history.filter((restart) => restart >= at - intensity.windowMs), at]
