/**
 * The words that `command` and `args` give together.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Path } from "../domain/Fault.ts"
import type { ServiceTable } from "./ServiceTable.ts"
import * as Words from "./Words.ts"

/**
 * A word, and the key that it comes from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Word {
  readonly text: string
  readonly path: Path
}

/**
 * The words of a service's command, the program first, or what is wrong with `command`.
 *
 * @since 0.1.0
 * @category models
 */
export type CommandLine = Either.Either<ReadonlyArray<Word>, string>

/**
 * Reads the words of a service's command.
 *
 * @since 0.1.0
 * @category combinators
 */
export const words = (
  { args, command }: Pick<ServiceTable, "command" | "args">
): CommandLine => {
  if (typeof command !== "string" && args !== undefined) {
    return Either.left("an array is the whole command; leave out args, or make command one text")
  }
  return Either.flatMap(
    typeof command !== "string"
      ? Either.right(command.map((text, index) => ({ text, path: ["command", index] })))
      : args !== undefined
      ? Either.right([
        { text: command, path: ["command"] },
        ...args.map((text, index) => ({ text, path: ["args", index] }))
      ])
      : Either.map(Words.split(command), (split) => split.map((text) => ({ text, path: ["command"] }))),
    (all) => all[0] === undefined || all[0].text.trim() === "" ? Either.left("names no program") : Either.right(all)
  )
}
