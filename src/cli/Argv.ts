/**
 * The order of words. @effect/cli wants a command's options between the command's name and its arguments, and those
 * of the whole program before the name; people write them anywhere. This puts them where it wants them, and knows of
 * no option by itself: what there is, it reads from the commands.
 *
 * @since 0.1.0
 */
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type * as Usage from "@effect/cli/Usage"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { closest, distance } from "fastest-levenshtein"
import { WordsWrong } from "./Errors.ts"

/**
 * An option: its long name, and whether a value follows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flag {
  readonly name: string
  readonly takesValue: boolean
}

/**
 * The options a command has, by each of their names, and the commands below it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Grammar {
  readonly flags: ReadonlyMap<string, Flag>
  readonly commands: ReadonlyMap<string, Grammar>
}

/**
 * What the words ask for.
 *
 * @since 0.1.0
 * @category models
 */
export type Request =
  /** `asked` is false where a command was left incomplete. */
  | { readonly _tag: "Help"; readonly path: ReadonlyArray<string>; readonly asked: boolean }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: string }
  /** `argv` is in the order that @effect/cli wants. */
  | { readonly _tag: "Run"; readonly argv: ReadonlyArray<string>; readonly logLevel: string | null }

const flagsOf = (usage: Usage.Usage, into: Map<string, Flag> = new Map()): Map<string, Flag> => {
  switch (usage._tag) {
    case "Named": {
      const long = usage.names.find((name) => name.startsWith("--"))
      if (long === undefined) return into
      const flag = { name: long, takesValue: Option.isSome(usage.acceptedValues) }
      for (const name of usage.names) into.set(name, flag)
      return into
    }
    case "Optional":
    case "Repeated":
      return flagsOf(usage.usage, into)
    case "Alternation":
    case "Concat":
      return flagsOf(usage.right, flagsOf(usage.left, into))
    default:
      return into
  }
}

/**
 * A command and those below it. (@effect/cli tells of a command's children and not of theirs.)
 *
 * @since 0.1.0
 * @category models
 */
export interface Node {
  readonly command: { readonly descriptor: Descriptor.Command<unknown> }
  readonly below?: ReadonlyArray<Node>
}

/**
 * The name a command is called by.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nameOf = ({ command }: Node): string => [...Descriptor.getNames(command.descriptor)].join("")

const grammarOf = ({ below = [], command }: Node): Grammar => ({
  flags: flagsOf(Descriptor.getUsage(command.descriptor)),
  commands: new Map(below.map((node) => [nameOf(node), grammarOf(node)]))
})

/** What the program itself answers, whatever the command. */
const builtIn: ReadonlyArray<readonly [string, Flag]> = [
  ["--help", { name: "--help", takesValue: false }],
  ["-h", { name: "--help", takesValue: false }],
  ["--version", { name: "--version", takesValue: false }],
  ["-V", { name: "--version", takesValue: false }],
  ["--completions", { name: "--completions", takesValue: true }],
  ["--log-level", { name: "--log-level", takesValue: true }]
]

/**
 * The grammar of a tree of commands.
 *
 * @since 0.1.0
 * @category constructors
 */
export const grammar = (root: Node): Grammar => {
  const { commands, flags } = grammarOf(root)
  return { commands, flags: new Map([...builtIn, ...flags]) }
}

/**
 * `; did you mean "…"?`, or nothing where no known word is near.
 *
 * @since 0.1.0
 * @category combinators
 */
export const guess = (word: string, known: Iterable<string>): string => {
  const names = [...known]
  if (names.length === 0) return ""
  const name = closest(word, names)
  return distance(word, name) <= Math.max(2, Math.floor(name.length / 3)) ? `; did you mean "${name}"?` : ""
}

const wrong = (message: string): Either.Either<never, WordsWrong> => Either.left(new WordsWrong({ message }))

const isFlag = (argument: string): boolean => argument.startsWith("-") && argument !== "-"

/** `-fn100` as `-f`, `-n`, `100`; `--tail=100` as `--tail`, `100`. `inline` tells that a value came with the name. */
const split = (
  argument: string,
  find: (name: string) => Flag | undefined
): { readonly names: ReadonlyArray<string>; readonly inline: string | undefined } => {
  if (argument.startsWith("--")) {
    const equals = argument.indexOf("=")
    return equals === -1
      ? { names: [argument], inline: undefined }
      : { names: [argument.slice(0, equals)], inline: argument.slice(equals + 1) }
  }
  const names: Array<string> = []
  for (let index = 1; index < argument.length; index++) {
    const name = `-${argument[index] ?? ""}`
    names.push(name)
    const rest = argument.slice(index + 1)
    if (rest !== "" && find(name)?.takesValue === true) return { names, inline: rest.replace(/^=/, "") }
  }
  return { names, inline: undefined }
}

/**
 * Reads the words that follow the name of the program.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (grammar: Grammar, argv: ReadonlyArray<string>): Either.Either<Request, WordsWrong> =>
  Either.gen(function*() {
    const path: Array<string> = []
    const words: Array<string> = []
    const globals = new Map<string, string | null>()
    const options = new Map<string, string | null>()
    let here = grammar
    let onlyWords = false
    const find = (name: string) => here.flags.get(name) ?? grammar.flags.get(name)

    for (let index = 0; index < argv.length; index++) {
      const argument = argv[index] ?? ""
      if (onlyWords || !isFlag(argument)) {
        if (here.commands.size === 0) {
          words.push(argument)
          continue
        }
        const below = here.commands.get(argument)
        if (below === undefined) {
          const hint = guess(argument, here.commands.keys()) ||
            `; \`${["tenement", ...path].join(" ")} --help\` lists those there are`
          return yield* wrong(`there is no command "${[...path, argument].join(" ")}"${hint}`)
        }
        path.push(argument)
        here = below
      } else if (argument === "--") {
        onlyWords = true
      } else {
        const { inline, names } = split(argument, find)
        for (const [position, name] of names.entries()) {
          const flag = find(name)
          if (flag === undefined) {
            const where = path.length === 0 ? "" : ` for \`tenement ${path.join(" ")}\``
            const hint = guess(name, [...here.flags.keys(), ...grammar.flags.keys()])
            return yield* wrong(`there is no option "${name}"${where}${hint}`)
          }
          const target = here !== grammar && here.flags.has(name) ? options : globals
          const given = position === names.length - 1 ? inline : undefined
          if (!flag.takesValue) {
            if (given !== undefined) return yield* wrong(`${name} takes no value; found "${argument}"`)
            target.set(flag.name, null)
            continue
          }
          // What follows is its value, unless that is plainly an option itself.
          const value = given ?? argv[++index]
          if (value === undefined || value === "" || (given === undefined && find(value) !== undefined)) {
            return yield* wrong(`${name} needs a value`)
          }
          target.set(flag.name, value)
        }
      }
    }

    if (globals.has("--help")) return { _tag: "Help", path, asked: true }
    if (globals.has("--version")) return { _tag: "Version" }
    const shell = globals.get("--completions")
    if (typeof shell === "string") return { _tag: "Completions", shell }
    if (here.commands.size > 0) return { _tag: "Help", path, asked: false }
    const logLevel = globals.get("--log-level") ?? null
    globals.delete("--log-level")
    // A value that is also a command's name would be taken for the command, were it not tied to its option.
    const spell = ([name, value]: readonly [string, string | null]) =>
      value === null ? [name] : grammar.commands.has(value) ? [`${name}=${value}`] : [name, value]
    return {
      _tag: "Run",
      logLevel,
      argv: [
        ...[...globals].flatMap(spell),
        ...path,
        ...[...options].flatMap(spell),
        ...(words.length === 0 ? [] : ["--", ...words])
      ]
    }
  })
