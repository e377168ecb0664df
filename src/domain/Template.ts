/**
 * Words in braces that stand for something known later: `{name}`, `{socket}`, …
 *
 * Only lower-case letters and underscores between two braces make a word, so JSON, `${HOME}` and shell text pass as they
 * are. `{{` is a brace, and `}}` is one where it closes a `{{`: `{{name}}` gives `{name}`.
 *
 * @since 0.1.0
 */

/**
 * The words there are.
 *
 * @since 0.1.0
 * @category constants
 */
export const words = ["name", "id", "data_dir", "instance_dir", "socket", "port", "run_dir"] as const
/** @since 0.1.0 */
export type Word = typeof words[number]

/**
 * What the words stand for.
 *
 * @since 0.1.0
 * @category models
 */
export type Values = { readonly [W in Word]?: string }

const token = /\{\{|\}\}|\{([a-z_]+)\}/g

const replace = (text: string, onWord: (word: string, written: string) => string): string => {
  let open = 0
  return text.replace(token, (written: string, word: string | undefined) => {
    if (word !== undefined) return onWord(word, written)
    if (written === "{{") {
      open++
      return "{"
    }
    if (open === 0) return written
    open--
    return "}"
  })
}

/**
 * The words that a text asks for, known or not, in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wordsOf = (text: string): ReadonlyArray<string> => {
  if (!text.includes("{")) return []
  const found: Array<string> = []
  replace(text, (word) => {
    found.push(word)
    return ""
  })
  return found
}

/**
 * The text with its words replaced. A word without a value stays as it was written.
 *
 * @since 0.1.0
 * @category combinators
 */
export const expand = (text: string, values: Values): string => {
  if (!text.includes("{")) return text
  const known: Readonly<Record<string, string | undefined>> = values
  return replace(text, (word, written) => (Object.hasOwn(known, word) ? known[word] : undefined) ?? written)
}

/**
 * The template that stands for exactly this text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const escape = (text: string): string => {
  let open = 0
  return text.replace(/[{}]/g, (brace) => {
    if (brace === "{") {
      open++
      return "{{"
    }
    if (open === 0) return "}"
    open--
    return "}}"
  })
}
