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
