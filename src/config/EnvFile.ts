/**
 * Files of `NAME=VALUE` lines. Their values are secrets: no message holds one.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/**
 * What is wrong with a line.
 *
 * @since 0.1.0
 * @category models
 */
export interface BadLine {
  readonly line: number
  readonly message: string
}

const blank = /[ \t]*(?:#.*)?(?:\n|$)/y
const name = /[ \t]*(?:export[ \t]+)?(?!__proto__\b)([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=/y
const quoted = /[ \t]*(?:'([^']*)'|"((?:[^"\\]|\\[^])*)")/y
const openQuote = /[ \t]*['"]/y
const plain = /(.*)(?:\n|$)/y

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\n": "" }

const unescape = (text: string): string => text.replace(/\\([nrt\n"\\$`])/g, (_, char: string) => escapes[char] ?? char)

/**
 * The variables of a file: quotes, comments and a leading `export` are known, nothing is expanded. Of a name that comes
 * twice, the last one counts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parse = (file: string): Either.Either<ReadonlyMap<string, string>, ReadonlyArray<BadLine>> => {
  const text = file.replaceAll("\r\n", "\n")
  const variables = new Map<string, string>()
  const bad: Array<BadLine> = []
  let at = 0
  let line = 1

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) {
      at += match[0].length
      line += match[0].split("\n").length - 1
    }
    return match
  }
  const refuse = (message: string) => {
    bad.push({ line, message })
    take(plain)
  }

  while (at < text.length) {
    if (take(blank) !== null) continue
    const key = take(name)?.[1]
    if (key === undefined) {
      refuse("this is no NAME=VALUE line")
      continue
    }
    const quote = take(quoted)
    if (quote !== null) {
      if (take(blank) === null) refuse(`there is more after the closing quote of ${key}`)
      else variables.set(key, quote[1] ?? unescape(quote[2] ?? ""))
    } else if (take(openQuote) !== null) refuse(`the quote of ${key} is never closed`)
    else variables.set(key, (take(plain)?.[1] ?? "").replace(/[ \t]#.*$/, "").trim())
  }
  return bad.length === 0 ? Either.right(variables) : Either.left(bad)
}
