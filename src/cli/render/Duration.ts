/**
 * Spans of time and moments, written for people.
 *
 * @since 0.1.0
 */

const units = [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]] as const

/**
 * One word of a table: `42s`, `3m12s`, `2h5m`, `11d4h`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const brief = (seconds: number): string => {
  const whole = Math.max(0, Math.floor(seconds))
  const first = units.findIndex(([, size]) => whole >= size)
  if (first === -1) return "0s"
  let rest = whole
  let text = ""
  for (const [unit, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text
}

const two = (value: number): string => String(value).padStart(2, "0")

/**
 * The time of day here; with the date when it is not today's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const clock = (at: string, now: number): string => {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return at
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return new Date(now).toDateString() === date.toDateString()
    ? time
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}
