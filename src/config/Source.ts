/**
 * A TOML file that was read.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Path from "node:path"
import * as Toml from "smol-toml"
import { atLine, atValue, type Path as KeyPath, type Problem, type Text } from "./Problem.ts"

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
  Either.map(parseToml(file, text), (toml) => {
    const source = { file, text, path: Path.resolve(file) }
    const problems: Array<Problem> = []
    const table = plainTable(toml, [], (path, message) => problems.push(atValue(source, path, message)))
    return { ...source, table, problems }
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

type Report = (path: KeyPath, message: string) => void

// Nothing deeper than this has a meaning; the schema refuses it by what is above.
const maxDepth = 8

const plainTable = (table: Table, path: KeyPath, report: Report): Table =>
  Object.fromEntries(Object.entries(table).map(([key, value]) => [key, plain(value, [...path, key], report)]))

const plain = (value: unknown, path: KeyPath, report: Report): unknown => {
  switch (typeof value) {
    case "string":
      if (value.includes("\0")) report(path, "a NUL character cannot be part of any value")
      return value
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value
    case "number":
      if (!isVariable(path)) return value
      report(path, "write this number in quotes: as a number it would lose how it is written")
      return 0
    case "object":
      if (value instanceof Date) return Symbol(value.toISOString())
      if (path.length >= maxDepth) return value
      return Array.isArray(value)
        ? value.map((element, index) => plain(element, [...path, index], report))
        : isTable(value)
        ? plainTable(value, path, report)
        : value
    default:
      return value
  }
}

const isVariable = ([section, , key, ...rest]: KeyPath): boolean =>
  section === "service" && key === "env" && rest.length === 1
