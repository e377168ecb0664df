/**
 * Keys that are part of the file's language and that this version cannot obey: refused, never ignored.
 *
 * @since 0.1.0
 */
import type { Path } from "../domain/Fault.ts"
import { found } from "../domain/Found.ts"
import type { Decoded } from "./Decode.ts"
import { atKey, type Problem } from "./Problem.ts"
import { isTable, type Table } from "./Source.ts"

/**
 * A key that is not there yet, or not with every value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly key: string
  /** Values that mean what this version does anyway. */
  readonly except?: ReadonlyArray<unknown>
  /** What holds where the key is left out, if that is not there yet either. */
  readonly standard?: string
  /** What to do instead. */
  readonly instead: string
}

const leaveOut = "leave it out"

/**
 * Of `[service.NAME]`.
 *
 * @since 0.1.0
 * @category constants
 */
export const inService: ReadonlyArray<Row> = [
  { key: "schedule", instead: leaveOut }
]

const objection = ({ except, key, standard }: Row, written: Table, decoded: Table): string | undefined => {
  if (!Object.hasOwn(written, key)) {
    return standard === undefined ? undefined : `unset, it is ${JSON.stringify(standard)}, which is`
  }
  if (except === undefined) return "this is"
  // What could not be understood has its problem already.
  return !Object.hasOwn(decoded, key) || except.includes(decoded[key]) ? undefined : `${found(written[key])} is`
}

/**
 * What a file asks for and this version does not have.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = ({ file, source }: Decoded): ReadonlyArray<Problem> => {
  const table = (rows: ReadonlyArray<Row>, path: Path, written: unknown, decoded: unknown) =>
    !isTable(written) ? [] : rows.flatMap((row) => {
      const message = objection(row, written, isTable(decoded) ? decoded : {})
      return message === undefined
        ? []
        : [atKey(source, [...path, row.key], `${message} not available in this version; ${row.instead}`)]
    })
  const { service: services } = source.table
  return Object.entries(isTable(services) ? services : {}).flatMap(([name, service]) =>
    table(inService, ["service", name], service, own(file.service, name))
  )
}

const own = (table: Table | undefined, name: string): unknown =>
  table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined
