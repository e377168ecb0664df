/**
 * Durations as people write them: `10`, `"250 millis"`, `"10s"`, `"1h30m"`.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

const units: ReadonlyArray<readonly [ms: number, pattern: RegExp]> = [
  [1, /^(ms|millis?|milliseconds?)$/],
  [1000, /^(s|secs?|seconds?)$/],
  [60_000, /^(m|mins?|minutes?)$/],
  [3_600_000, /^(h|hrs?|hours?)$/],
  [86_400_000, /^(d|days?)$/]
]

const whole = /^\s*(\d+(\.\d+)?\s*[a-z]+\s*)+$/
const part = /(\d+(?:\.\d+)?)\s*([a-z]+)/g

/**
 * The milliseconds that a text stands for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parse = (text: string): Option.Option<number> => {
  if (text.length > 100 || !whole.test(text)) return Option.none()
  let total = 0
  for (const [, amount, name] of text.matchAll(part)) {
    const unit = units.find(([, pattern]) => pattern.test(name ?? ""))
    if (unit === undefined) return Option.none()
    total += Number(amount) * unit[0]
  }
  return Option.some(total)
}
