/**
 * "Did you mean …?"
 *
 * @since 0.1.0
 */
import { closest, distance } from "fastest-levenshtein"

/**
 * The candidate that `word` is most likely a slip of, if one is near enough: a third of its letters may be wrong.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nearest = <A extends string>(word: string, candidates: ReadonlyArray<A>): A | null => {
  if (candidates.length === 0) return null
  const best = closest(word, candidates) as A
  return distance(word, best) <= Math.max(1, Math.floor(best.length / 3)) ? best : null
}
