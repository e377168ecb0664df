/** Many records at once: the bytes of a file between two newlines. */
import * as Record from "./record.ts"

export interface Located {
  readonly offset: number
  readonly record: Record.LogRecord
}

/** Those that a reader is told, `base` being the offset of `bytes` in their file. */
export const told = (bytes: Buffer, base: number): Array<Located> => {
  const found: Array<Located> = []
  let start = 0
  for (let end = bytes.indexOf(Record.newline); end >= 0; end = bytes.indexOf(Record.newline, start)) {
    const record = Record.decode(bytes.subarray(start, end))
    if (record !== undefined && Record.isTold(record)) found.push({ offset: base + start, record })
    start = end + 1
  }
  return found
}

/** The same of those lines alone that have `literal` anywhere in them. */
export const toldWith = (literal: Buffer, bytes: Buffer, base: number): Array<Located> => {
  const found: Array<Located> = []
  let at = bytes.indexOf(literal)
  while (at >= 0) {
    const start = bytes.lastIndexOf(Record.newline, at) + 1
    const end = bytes.indexOf(Record.newline, at)
    if (end < 0) break
    found.push(...told(bytes.subarray(start, end + 1), base + start))
    at = bytes.indexOf(literal, end)
  }
  return found
}

/** The first record, of any mark. What is torn is passed over. */
export const first = (bytes: Buffer, from = 0): Record.LogRecord | undefined => {
  let start = from
  for (let end = bytes.indexOf(Record.newline, start); end >= 0; end = bytes.indexOf(Record.newline, start)) {
    const record = Record.decode(bytes.subarray(start, end))
    if (record !== undefined) return record
    start = end + 1
  }
  return undefined
}

/** All records, of any mark, the last one first. What is before the first newline is left out unless `whole`. */
export function* backwards(bytes: Buffer, whole: boolean): Generator<Record.LogRecord> {
  let end = bytes.lastIndexOf(Record.newline)
  while (end > 0) {
    const start = bytes.lastIndexOf(Record.newline, end - 1) + 1
    if (start === 0 && !whole) return
    const record = Record.decode(bytes.subarray(start, end))
    if (record !== undefined) yield record
    end = start - 1
  }
}

/** How many lines there are, and the number of the last. */
export const count = (bytes: Buffer): { readonly lines: number; readonly last: number } => {
  const all = told(bytes, 0)
  return { lines: all.length, last: all.at(-1)?.record.seq ?? 0 }
}

/** The number of the last line that was told; `undefined` where there is no record. */
export const lastSeq = (bytes: Buffer): number | undefined => {
  for (const record of backwards(bytes, true)) return Record.isTold(record) ? record.seq : record.seq - 1
  return undefined
}

/** Their bytes. */
export const joined = (records: ReadonlyArray<Record.LogRecord>): Buffer =>
  Buffer.concat(records.map((record) => Record.encode(record, record.mark, record.seq, record.text)))
