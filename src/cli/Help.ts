/**
 * Help, made from what the commands say of themselves.
 *
 * @since 0.1.0
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import { nameOf, type Node } from "./Argv.ts"
import type { Palette } from "./render/Palette.ts"
import { wrap } from "./render/Text.ts"

type Definition = readonly [term: string, meaning: string]

interface Facts {
  readonly description: string
  readonly args: ReadonlyArray<Definition>
  readonly options: ReadonlyArray<Definition>
}

const text = (span: Span.Span): string => {
  switch (span._tag) {
    case "Text":
    case "URI":
      return span.value
    case "Sequence":
      return text(span.left) + text(span.right)
    default:
      return text(span.value)
  }
}

const blocks = (doc: HelpDoc.HelpDoc): ReadonlyArray<HelpDoc.HelpDoc> =>
  doc._tag === "Sequence" ? [...blocks(doc.left), ...blocks(doc.right)] : [doc]

const paragraphs = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> =>
  blocks(doc).flatMap((block) => block._tag === "Paragraph" ? [text(block.value)] : [])

/**
 * The words of a document, as one paragraph.
 *
 * @since 0.1.0
 * @category combinators
 */
export const plain = (doc: HelpDoc.HelpDoc): string => paragraphs(doc).join(" ").trim()

/** What @effect/cli says of a definition is its type, then our words, then whether it is optional. */
const definitions = (doc: HelpDoc.HelpDoc): ReadonlyArray<Definition> =>
  doc._tag !== "DescriptionList" ? [] : doc.definitions.map(([term, meaning]) => [
    text(term).replace(/^\((.*)\)$/, "$1").replace(/ 1\+$/, "..."),
    paragraphs(meaning)[1] ?? ""
  ])

const config = CliConfig.make({ showBuiltIns: false })

const factsOf = ({ command }: Node): Facts => {
  let description = ""
  const found: Record<string, Array<Definition>> = { ARGUMENTS: [], OPTIONS: [] }
  let section = ""
  for (const block of blocks(Descriptor.getHelp(command.descriptor, config))) {
    if (block._tag === "Header") section = text(block.value)
    else if (section === "DESCRIPTION" && block._tag === "Paragraph") description = text(block.value)
    else found[section]?.push(...definitions(block))
  }
  return { description, args: found["ARGUMENTS"] ?? [], options: found["OPTIONS"] ?? [] }
}

const builtIn: ReadonlyArray<Definition> = [
  ["--log-level LEVEL", "what `serve` tells of itself: all, trace, debug, info, warning, error, fatal or none"],
  ["--completions SHELL", "prints completions for bash, zsh, fish or sh"],
  ["-V, --version", "prints the version"],
  ["-h, --help", "prints the help of a command"]
]

const listed = (
  heading: string,
  entries: ReadonlyArray<Definition>,
  palette: Palette,
  room: number | null
): ReadonlyArray<string> => {
  if (entries.length === 0) return []
  const column = Math.max(...entries.map(([term]) => term.length)) + 2
  return [
    "",
    palette.strong(heading),
    ...entries.map(([term, meaning]) =>
      wrap(`  ${term.padEnd(column)}${meaning}`, room, " ".repeat(column + 2)).replace(term, palette.good(term))
    )
  ]
}

const down = (root: Node, path: ReadonlyArray<string>): Node =>
  path.reduce((node, name) => node.below?.find((child) => nameOf(child) === name) ?? node, root)

/**
 * The help of the command at the end of `path`; of the whole program where it is empty.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lines = (
  root: Node,
  path: ReadonlyArray<string>,
  options: { readonly palette: Palette; readonly room: number | null }
): ReadonlyArray<string> => {
  const { palette, room } = options
  const node = down(root, path)
  const { args, description, options: own } = factsOf(node)
  const below = node.below ?? []
  const everywhere = [...factsOf(root).options, ...builtIn]
  const usage = [
    ["tenement", ...path].join(" "),
    ...(below.length > 0 ? ["COMMAND"] : []),
    ...(own.length > 0 || path.length === 0 ? ["[OPTIONS]"] : []),
    ...args.map(([term]) => term)
  ]
  return [
    wrap(description, room),
    "",
    `  ${palette.strong(usage.join(" "))}`,
    ...listed("Commands", below.map((child) => [nameOf(child), factsOf(child).description]), palette, room),
    ...listed("Arguments", args, palette, room),
    ...(path.length === 0 ? [] : listed("Options", own, palette, room)),
    ...listed(
      path.length === 0 ? "Options, anywhere on the line" : "Options of every command",
      everywhere,
      palette,
      room
    ),
    ...(path.length === 0 ? ["", "`tenement COMMAND --help` tells more of a command."] : [])
  ]
}
