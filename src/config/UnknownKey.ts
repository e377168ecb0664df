/**
 * What to say of a key that the file should not have.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type * as AST from "effect/SchemaAST"
import { allowedBy } from "../domain/Allowed.ts"
import type { Path } from "../domain/Fault.ts"
import { nearestOf } from "../domain/Nearest.ts"
import * as FileSchema from "./FileSchema.ts"

const tableAt = (ast: AST.AST, [key, ...rest]: Path): AST.TypeLiteral | undefined => {
  if (ast._tag === "Transformation") return tableAt(ast.from, key === undefined ? [] : [key, ...rest])
  if (ast._tag !== "TypeLiteral") return undefined
  if (key === undefined) return ast
  const inner = ast.propertySignatures.find(({ name }) => name === key) ?? ast.indexSignatures[0]
  return inner && tableAt(inner.type, rest)
}

const keysOf = (table: AST.TypeLiteral | undefined): ReadonlyArray<string> =>
  table?.propertySignatures.map(({ name }) => String(name)) ?? []

const homes: ReadonlyArray<readonly [home: string, keys: ReadonlyArray<string>]> = [
  ["[service.NAME]", keysOf(tableAt(FileSchema.File.ast, ["service", "NAME"]))],
  ["[settings]", keysOf(tableAt(FileSchema.File.ast, ["settings"]))],
  ["[group.NAME]", keysOf(tableAt(FileSchema.File.ast, ["group", "NAME"]))]
]

/**
 * The message for the unknown key that a path ends with.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unknownKey = (path: Path): string => {
  const key = String(path[path.length - 1])
  const table = tableAt(FileSchema.File.ast, path.slice(0, -1))
  const names = table?.indexSignatures[0]
  if (names !== undefined) {
    return `this is no good name, allowed: ${Option.getOrElse(allowedBy(names.parameter), () => "text")}`
  }
  const known = nearestOf(key, keysOf(table))
  if (known?.near === true) return `unknown key; did you mean ${JSON.stringify(known.name)}?`
  const home = homes.find(([, keys]) => keys.includes(key))
  if (home !== undefined) return `unknown key here; it belongs in ${home[0]}`
  return `unknown key${known === undefined ? "" : `; the nearest known key is ${JSON.stringify(known.name)}`}`
}
