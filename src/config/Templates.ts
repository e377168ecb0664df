/**
 * Checks the words in braces.
 *
 * @since 0.1.0
 */
import * as Template from "../domain/Template.ts"
import { didYouMean } from "./Nearest.ts"

const braced = (word: string): string => `{${word}}`

/** Words that stand for something before the service has a socket of its own. */
const early: ReadonlyArray<string> = Template.words.filter((word) => word !== "socket" && word !== "port")

/**
 * What is wrong with the words of a text: where it is used decides which make sense.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faults = (
  text: string,
  use: { readonly key: string; readonly early: boolean; readonly hasPort: boolean }
): ReadonlyArray<string> =>
  [...new Set(Template.wordsOf(text))].flatMap((word) => {
    const known: ReadonlyArray<string> = Template.words
    if (!known.includes(word)) {
      return [
        `${braced(word)} stands for nothing${didYouMean(word, known)} ` +
        `(there are ${known.map(braced).join(" ")}; {${braced(word)}} is the text itself)`
      ]
    }
    if (use.early && !early.includes(word)) {
      return [`${braced(word)} has no meaning in ${use.key}; there are ${early.map(braced).join(" ")}`]
    }
    return word === "port" && !use.hasPort ? ["{port} needs the key `port`, a number or \"auto\""] : []
  })
