/** @internal */

/** What follows `\` and stands for itself. */
const escapable = /[^0-9A-Za-z]/
/** What follows `\` and takes no more of the pattern with it. */
const single = /[bBdDsSwWnrtfv0]/
const quantifier = /^(?:[*?+]|\{\d+(?:,\d*)?\})\??/

/** Where the class or the group that begins at `start` ends; the pattern is valid. */
const behind = (source: string, start: number): number => {
  let depth = 0
  let isClass = false
  for (let at = start; at < source.length; at++) {
    const char = source[at]
    if (char === "\\") at++
    else if (isClass) isClass = char !== "]"
    else if (char === "[") isClass = true
    else if (char === "(") depth++
    else if (char === ")") depth--
    if (depth === 0 && !isClass) return at + 1
  }
  return source.length
}

/**
 * The longest text that whatever the pattern matches has in it, as far as that is easily seen; `null` where it is not. To look
 * for it takes a fraction of the time of the pattern.
 */
export const literalOf = ({ flags, source }: RegExp): string | null => {
  if (/[iv]/.test(flags)) return null
  const found: Array<string> = []
  let run = ""
  const close = () => {
    found.push(run)
    run = ""
  }
  for (let at = 0; at < source.length;) {
    const char = source[at] ?? ""
    let atom: string | null = char
    let next = at + 1
    if (char === "|") return null
    if (char === "\\") {
      const escaped = source[next] ?? ""
      next++
      if (escapable.test(escaped)) atom = escaped
      else if (single.test(escaped)) atom = null
      else return null
    } else if (char === "[" || char === "(") {
      atom = null
      next = behind(source, at)
    } else if (char === "." || char === "^" || char === "$") atom = null
    const repeated = quantifier.exec(source.slice(next))?.[0]
    if (atom === null) close()
    else if (repeated === undefined) run += atom
    else {
      if (repeated.startsWith("+")) run += atom
      close()
    }
    at = next + (repeated?.length ?? 0)
  }
  close()
  const longest = found.reduce((best, text) => text.length > best.length ? text : best, "")
  // What is decoded from bytes that are no text cannot be found among them.
  return longest === "" || longest.includes("\uFFFD") || /\p{Surrogate}/u.test(longest) ? null : longest
}
