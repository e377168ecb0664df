/**
 * From the tables of one file to values of the schema. What is wrong is told and left out, so that the rest can be
 * checked in the same go.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import { allowedBy } from "../domain/Allowed.ts"
import type { Path } from "../domain/Fault.ts"
import { found } from "../domain/Found.ts"
import * as FileSchema from "./FileSchema.ts"
import { atKey, atValue, type Problem } from "./Problem.ts"
import { isTable, type Source, type Table } from "./Source.ts"
import { unknownKey } from "./UnknownKey.ts"

/**
 * What a file says, as far as it could be understood.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decoded {
  readonly source: Source
  readonly file: FileSchema.File
  readonly problems: ReadonlyArray<Problem>
}

const decodeFile = Schema.decodeUnknownEither(FileSchema.File, { errors: "all", onExcessProperty: "error" })

/**
 * Decodes a file.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (source: Source): Decoded => {
  const result = decodeFile(source.table)
  if (Either.isRight(result)) return { source, file: result.right, problems: [] }
  const found = [...findings(result.left.issue, [])]
  const rest = decodeFile(without(source.table, cutsOf(source.table, found.map(({ path }) => path))))
  return {
    source,
    file: Either.getOrElse(rest, () => ({})),
    problems: found.map(({ mark, message, path }) =>
      mark === "key" ? atKey(source, path, message) : atValue(source, path, message)
    )
  }
}

interface Finding {
  readonly path: Path
  readonly mark: "key" | "value"
  readonly message: string
}

const findings = function*(issue: ParseResult.ParseIssue, path: Path): Generator<Finding> {
  switch (issue._tag) {
    case "Pointer":
      return yield* findings(issue.issue, [
        ...path,
        ...[issue.path].flat().map((key) => typeof key === "symbol" ? "" : key)
      ])
    case "Unexpected":
      return yield { path, mark: "key", message: unknownKey(path) }
    case "Missing":
      return yield typeof path.at(-1) === "number"
        ? {
          path: path.slice(0, -1),
          mark: "value",
          message: `found an empty array, allowed: ${allowed(issue.ast.type)}`
        }
        : { path, mark: "key", message: `this key is missing, allowed: ${allowed(issue.ast.type)}` }
    case "Type":
    case "Forbidden":
      return yield { path, mark: "value", message: `found ${found(issue.actual)}, allowed: ${allowed(issue.ast)}` }
    default:
      if (Option.isSome(allowedBy(issue.ast))) {
        return yield { path, mark: "value", message: `found ${found(issue.actual)}, allowed: ${allowed(issue.ast)}` }
      }
      for (const inner of issue._tag === "Composite" ? [issue.issues].flat() : [issue.issue]) {
        yield* findings(inner, path)
      }
  }
}

const allowed = (ast: AST.AST): string =>
  Option.getOrElse(
    allowedBy(ast),
    () => {
      const element = ast._tag === "TupleType" ? (ast.elements[0] ?? ast.rest[0])?.type : undefined
      return element === undefined ? "a table" : `an array, each element ${allowed(element)}`
    }
  )

/** What to leave out: a key as a whole, or some of the keys inside it. */
interface Cuts extends Map<string, Cuts | "whole"> {}

/** An array goes as a whole, and so does a table that lacks a key. */
const cutsOf = (table: Table, paths: Iterable<Path>): Cuts => {
  const cuts: Cuts = new Map()
  for (const path of paths) {
    let inside = cuts
    let value: unknown = table
    for (const [index, key] of path.entries()) {
      value = isTable(value) ? value[key] : undefined
      const next = path[index + 1]
      const known = inside.get(String(key))
      if (known === "whole") break
      if (typeof next !== "string" || (index === path.length - 2 && isTable(value) && !Object.hasOwn(value, next))) {
        inside.set(String(key), "whole")
        break
      }
      if (known === undefined) inside.set(String(key), inside = new Map())
      else inside = known
    }
  }
  return cuts
}

const without = (table: Table, cuts: Cuts): Table =>
  Object.fromEntries(
    Object.entries(table).flatMap(([key, value]) => {
      const cut = cuts.get(key)
      if (cut === undefined) return [[key, value]]
      return cut === "whole" || !isTable(value) ? [] : [[key, without(value, cut)]]
    })
  )
