/**
 * Completions for shells.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { WordsWrong } from "./Errors.ts"

const scripts = {
  bash: Command.getBashCompletions,
  sh: Command.getBashCompletions,
  zsh: Command.getZshCompletions,
  fish: Command.getFishCompletions
} as const

const isShell = (word: string): word is keyof typeof scripts => Object.hasOwn(scripts, word)

/** @effect/cli offers its wizard to every program; this one has none. */
const withoutWizard = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.join("\n").replaceAll(" --wizard", "").split("\n").filter((line) => !/(--|-l )wizard/.test(line))

/**
 * The script that teaches a shell our words.
 *
 * @since 0.1.0
 * @category constructors
 */
export const script = <Name extends string, R, E, A>(
  root: Command.Command<Name, R, E, A>,
  shell: string
): Effect.Effect<ReadonlyArray<string>, WordsWrong> =>
  isShell(shell)
    ? Effect.map(scripts[shell](root, "tenement"), withoutWizard)
    : Effect.fail(new WordsWrong({ message: `--completions takes bash, zsh, fish or sh; found "${shell}"` }))
