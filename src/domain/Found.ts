/**
 * A value of the file, in as many words as a message bears.
 *
 * @since 0.1.0
 */

const longest = 60

const cut = (text: string): string => text.length > longest ? `${text.slice(0, longest)}…` : text

/**
 * What was found, for a message.
 *
 * @since 0.1.0
 * @category combinators
 */
export const found = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return cut(JSON.stringify(value))
    case "symbol":
      return `the date ${value.description}`
    case "object":
      return Array.isArray(value) ? (value.length === 0 ? "an empty array" : "an array") : "a table"
    default:
      return cut(String(value))
  }
}
