/**
 * The fields of a message's head as text: whole lines, each with its end, as RFC 9112 has them, and nothing that another
 * reader might take otherwise. To look at each field by itself costs more than all else that is done to a request, so
 * what is asked of them is asked of the whole text.
 *
 * @since 0.1.0
 */

/**
 * Names and values in turn, as Node's `rawHeaders`.
 *
 * @since 0.1.0
 * @category models
 */
export type Raw = ReadonlyArray<string>

/**
 * @since 0.1.0
 * @category constants
 */
export const lineEnd = "\r\n"

const carriageReturn = 13
const lineFeed = 10
const colon = 58

const inName = 1
const inValue = 2

/** What each byte may be part of. */
const parts = Uint8Array.from({ length: 256 }, (_, code) => {
  const name = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)) ? inName : 0
  return code === 9 || (code >= 0x20 && code !== 0x7f) ? name | inValue : name
})

const isPart = (bytes: Buffer, at: number, of: number): boolean => ((parts[bytes[at] ?? 0] ?? 0) & of) !== 0

/**
 * Where the colon behind a name is that begins at `at`; -1 where there is none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const colonOf = (bytes: Buffer, start: number): number => {
  let at = start
  while (isPart(bytes, at, inName)) at++
  return at > start && bytes[at] === colon ? at : -1
}

/**
 * Where the next line begins, behind a value that begins at `at`; -1 where it does not end as a line does.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nextOf = (bytes: Buffer, start: number): number => {
  let at = start
  while (isPart(bytes, at, inValue)) at++
  return bytes[at] === carriageReturn && bytes[at + 1] === lineFeed ? at + lineEnd.length : -1
}

const isBlank = (code: number): boolean => code === 0x20 || code === 9

/**
 * The value between a colon and the next line, without the blanks around it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const valueOf = (text: string, colon: number, next: number): string => {
  let start = colon + 1
  let end = next - lineEnd.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const all = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const line = /([^:]+):[\t ]*([^\r]*)\r\n/y
const blanks = /[\t ]+$/

/**
 * Whether a text is such lines and no more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const areValid = (text: string): boolean => all.test(text)

/**
 * Names and values in turn, of lines that are valid.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (text: string): Array<string> => {
  const raw: Array<string> = []
  line.lastIndex = 0
  for (let found = line.exec(text); found !== null; found = line.exec(text)) {
    raw.push(found[1] ?? "", (found[2] ?? "").replace(blanks, ""))
  }
  return raw
}

/**
 * The lines of names and values.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (raw: Raw): string => {
  let text = ""
  for (let index = 0; index + 1 < raw.length; index += 2) text += `${raw[index]}: ${raw[index + 1]}\r\n`
  return text
}

/**
 * Finds fields by a pattern of names, one after the other: `exec` gives the name and the value.
 *
 * @since 0.1.0
 * @category constructors
 */
export const named = (names: string): RegExp => new RegExp(`^(${names}):[\\t ]*([^\\r]*?)[\\t ]*\\r\\n`, "gim")

/**
 * The lines whose names are like a pattern.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lines = (names: string): RegExp => new RegExp(`^(?:${names}):.*\\r\\n`, "gim")
