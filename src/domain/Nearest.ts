/**
 * The name that somebody may have meant.
 *
 * @since 0.1.0
 */
import { closest, distance } from "fastest-levenshtein"

/**
 * The nearest of the names, and whether it is near enough to have been meant: a third of the letters may be wrong.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nearestOf = <A extends string>(
  name: string,
  names: Iterable<A>
): { readonly name: A; readonly near: boolean } | undefined => {
  const known = [...names]
  if (known.length === 0) return undefined
  const short = name.slice(0, 100)
  const found = closest(short, known) as A
  return { name: found, near: distance(short, found) <= Math.max(1, Math.ceil(short.length / 3)) }
}

/**
 * The nearest of the names if it is near enough.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nearest = <A extends string>(name: string, names: Iterable<A>): A | null => {
  const found = nearestOf(name, names)
  return found?.near === true ? found.name : null
}

/**
 * The nearest name as an addition to a message, or nothing where none is near.
 *
 * @since 0.1.0
 * @category combinators
 */
export const didYouMean = (name: string, names: Iterable<string>): string => {
  const found = nearest(name, names)
  return found === null ? "" : `; did you mean ${JSON.stringify(found)}?`
}
