/**
 * The name that somebody may have meant.
 *
 * @since 0.1.0
 */
import { closest, distance } from "fastest-levenshtein"

/**
 * The nearest of the names, and whether it is near enough to have been meant.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nearest = (
  name: string,
  names: Iterable<string>
): { readonly name: string; readonly near: boolean } | undefined => {
  const known = [...names]
  if (known.length === 0) return undefined
  const short = name.slice(0, 100)
  const found = closest(short, known)
  return { name: found, near: distance(short, found) <= Math.max(1, Math.ceil(short.length / 3)) }
}

/**
 * The nearest name as an addition to a message, or nothing where none is near.
 *
 * @since 0.1.0
 * @category combinators
 */
export const didYouMean = (name: string, names: Iterable<string>): string => {
  const found = nearest(name, names)
  return found?.near === true ? `; did you mean ${JSON.stringify(found.name)}?` : ""
}
