/**
 * Finds the lines of problems. The parser that knows them is loaded when there is a problem, and not before.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { AST } from "toml-eslint-parser"
import type { ConfigIssue } from "../domain/Errors.ts"
import { formatPath, type Path } from "../domain/Fault.ts"
import type { Place, Problem } from "./Problem.ts"

interface Position {
  readonly line: number
  readonly column: number
}

interface Node {
  key: Position
  value: Position
  readonly children: Map<string | number, Node>
}

const start: Position = { line: 1, column: 1 }

const node = (position: Position): Node => ({ key: position, value: position, children: new Map() })

const positionOf = ({ loc }: { readonly loc: { readonly start: Position } }): Position => ({
  line: loc.start.line,
  column: loc.start.column + 1
})

const child = (parent: Node, key: string | number, position: Position): Node => {
  const known = parent.children.get(key)
  if (known !== undefined) return known
  const made = node(position)
  parent.children.set(key, made)
  return made
}

const descend = (parent: Node, keys: ReadonlyArray<string | number>, position: Position): Node =>
  keys.reduce<Node>((above, key) => child(above, key, position), parent)

const nameOf = (key: AST.TOMLBare | AST.TOMLQuoted): string => key.type === "TOMLBare" ? key.name : key.value

const addPair = (parent: Node, pair: AST.TOMLKeyValue): void => {
  const position = positionOf(pair.key)
  addValue(descend(parent, pair.key.keys.map(nameOf), position), pair.value)
}

const addValue = (target: Node, value: AST.TOMLContentNode): void => {
  target.value = positionOf(value)
  if (value.type === "TOMLArray") {
    for (const [index, element] of value.elements.entries()) {
      addValue(child(target, index, positionOf(element)), element)
    }
  } else if (value.type === "TOMLInlineTable") {
    for (const pair of value.body) addPair(target, pair)
  }
}

const indexOf = (program: AST.TOMLProgram): Node => {
  const root = node(start)
  for (const entry of program.body[0].body) {
    if (entry.type === "TOMLKeyValue") addPair(root, entry)
    else {
      const table = descend(root, entry.resolvedKey, positionOf(entry))
      // A header says where the table is, even after a table inside it.
      table.key = table.value = positionOf(entry)
      for (const pair of entry.body) addPair(table, pair)
    }
  }
  return root
}

/** The position of what the path names, or of the nearest table that there is. */
const lookUp = (root: Node, path: Path, mark: "key" | "value"): Position => {
  let found = root
  for (const key of path) {
    const next = found.children.get(key)
    if (next === undefined) return found.key
    found = next
  }
  return found[mark]
}

const indexed = (text: string): Effect.Effect<Node> =>
  Effect.tryPromise(async () => {
    const { parseTOML } = await import("toml-eslint-parser")
    return indexOf(parseTOML(text, { tomlVersion: "latest" }))
  }).pipe(
    // It may be stricter than the parser that read the file; a problem without its line is still worth telling.
    Effect.orElseSucceed(() => node(start))
  )

type Located = ConfigIssue & Position

const byPlace = (a: Position, b: Position): number => a.line - b.line || a.column - b.column

/**
 * The problems with their lines: file by file, from top to bottom, none of them twice.
 *
 * @since 0.1.0
 * @category combinators
 */
export const locate = Effect.fn("Positions.locate")(function*(
  problems: ReadonlyArray<Problem>
): Effect.fn.Return<ReadonlyArray<ConfigIssue>> {
  const roots = new Map<string, Node>()
  const positionAt = Effect.fnUntraced(function*({ path, source }: Place, mark: "key" | "value") {
    const root = roots.get(source.text) ?? (yield* indexed(source.text))
    roots.set(source.text, root)
    return lookUp(root, path, mark)
  })
  const issues = new Map<string, Array<Located>>()
  const seen = new Set<string>()
  for (const problem of problems) {
    const issue: Located = problem._tag === "AtLine"
      ? { file: problem.file, line: problem.line, column: problem.column, key: "", message: problem.message }
      : {
        file: problem.source.file,
        ...yield* positionAt(problem, problem.mark),
        key: formatPath(problem.path),
        message: problem.other === undefined
          ? problem.message
          : `${problem.message} (${problem.other.source.file}:${(yield* positionAt(problem.other, "key")).line})`
      }
    const identity = JSON.stringify(issue)
    if (seen.has(identity)) continue
    seen.add(identity)
    const ofFile = issues.get(issue.file)
    if (ofFile === undefined) issues.set(issue.file, [issue])
    else ofFile.push(issue)
  }
  return [...issues.values()].flatMap((ofFile) => ofFile.sort(byPlace))
})
