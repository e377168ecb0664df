/**
 * A TOML file that was read.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Path from "node:path"
import * as Toml from "smol-toml"
import type { Path as KeyPath } from "../domain/Fault.ts"
import { atLine, atValue, type Problem, type Text } from "./Problem.ts"

/**
 * A table of the file. Its own keys alone count: `constructor` is a name like any other.
 *
 * @since 0.1.0
 * @category models
 */
export interface Table {
  readonly [key: string]: unknown
}

/**
 * Whether a value is a table.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * What a file holds. Dates, which no key takes, are symbols.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source extends Text {
  /** Absolute. */
  readonly path: string
  readonly table: Table
  /** What is wrong with it whatever its keys mean. */
  readonly problems: ReadonlyArray<Problem>
}

/**
 * What the text of a file says; `file` is how the person names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (file: string, text: string): Either.Either<Source, Problem> =>
  Either.map(parseToml(file, text), (table) => {
    const source = { file, text, path: Path.resolve(file), table }
    const problems: Array<Problem> = []
    settle(table, [], (path, message) => problems.push(atValue(source, path, message)))
    return { ...source, problems }
  })

const parseToml = (file: string, text: string): Either.Either<Table, Problem> =>
  Either.try({
    // As bigints, whole numbers can be told from those that were written with a point.
    try: () => Toml.parse(text, { integersAsBigInt: true }),
    catch: (error) =>
      error instanceof Toml.TomlError
        ? atLine(file, `this is no TOML: ${summary(error.message)}`, error.line, error.column)
        : atLine(file, `this is no TOML: ${String(error)}`)
  })

// Its first line says what is wrong, the others draw the place.
const summary = (message: string): string => message.split("\n", 1).join().replace("Invalid TOML document: ", "")

// Nothing deeper than this has a meaning; the schema refuses it by what is above.
const maxDepth = 8

/**
 * Makes the parser's values, which nobody else has seen yet, those of the rest of the program, in their place: a copy
 * of a thousand services costs more than all checks.
 */
const settle = (
  container: Table | Array<unknown>,
  path: Array<string | number>,
  report: (path: KeyPath, message: string) => void
): void => {
  const target: { [key: string]: unknown } = container as Table
  for (const key of Object.keys(container)) {
    path.push(Array.isArray(container) ? Number(key) : key)
    const value = target[key]
    if (typeof value === "string") {
      if (value.includes("\0")) report([...path], "a NUL character cannot be part of any value")
    } else if (typeof value === "bigint") {
      if (Number.isSafeInteger(Number(value))) target[key] = Number(value)
    } else if (typeof value === "number") {
      if (isVariable(path)) {
        report([...path], "write this number in quotes: as a number it would lose how it is written")
        target[key] = ""
      }
    } else if (value instanceof Date) target[key] = Symbol(value.toISOString())
    else if ((isTable(value) || Array.isArray(value)) && path.length < maxDepth) settle(value, path, report)
    path.pop()
  }
}

const isVariable = (path: KeyPath): boolean => path.length === 4 && path[0] === "service" && path[2] === "env"
