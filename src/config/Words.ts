/**
 * A command line as a POSIX shell splits it: quotes and escapes are honoured, nothing is expanded, no shell is run.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

// In turn: blanks, what single quotes keep, what double quotes keep, an escaped character, anything else.
const piece = /[ \t\n]+|'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|([^ \t\n'"\\]+)/gy

/**
 * The words of a command line, or what is wrong with it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const split = (line: string): Either.Either<ReadonlyArray<string>, string> => {
  const text = line.replaceAll("\r\n", "\n")
  const words: Array<string> = []
  let word: string | undefined
  let end = 0
  for (const [all, single, double, escaped, plain] of text.matchAll(piece)) {
    end += all.length
    const part = single ?? double?.replace(/\\([$`"\\\n])/g, (_, char: string) => char === "\n" ? "" : char) ?? plain
    if (part !== undefined) word = (word ?? "") + part
    else if (escaped === "\n") continue
    else if (escaped !== undefined) word = (word ?? "") + escaped
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  if (end < text.length) {
    return Either.left(text[end] === "\\" ? "ends with a backslash" : `has a ${text[end]} that is never closed`)
  }
  if (word !== undefined) words.push(word)
  return Either.right(words)
}
