/** At which calls a supervisor is killed. */

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/**
 * All of them take an hour or more; so by default a few of each. `TENEMENT_KILL_POINTS=all`, or some of them as `200-400`,
 * is how the figures in the docs came about.
 */
export const orSome = (few: ReadonlyArray<number>): ReadonlyArray<number> => {
  const asked = process.env["TENEMENT_KILL_POINTS"] ?? ""
  if (asked === "all") return range(1, 100_000)
  const [, first, last] = /^(\d+)-(\d+)$/.exec(asked) ?? []
  return first === undefined ? few : range(Number(first), Number(last))
}
