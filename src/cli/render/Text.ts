/**
 * Paragraphs.
 *
 * @since 0.1.0
 */
import * as Palette from "./Palette.ts"

/**
 * Breaks a paragraph between words so that it fits; every line after the first is indented by `hang`. With no `room`
 * it stays one line, as a pipe wants it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wrap = (text: string, room: number | null, hang = ""): string => {
  if (room === null) return text
  const result: Array<string> = []
  const indent = /^ */.exec(text)?.[0] ?? ""
  const [first = "", ...words] = text.slice(indent.length).split(" ")
  let line = indent + first
  for (const word of words) {
    const longer = `${line} ${word}`
    if (Palette.width(longer) > room) {
      result.push(line)
      line = hang + word
    } else {
      line = longer
    }
  }
  return [...result, line].join("\n")
}

/**
 * `a`, `a and b`, `a, b and c`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const listed = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`
