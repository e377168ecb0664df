/**
 * A line of a log as it is on disk:
 *
 *     2026-01-02T03:04:05.678Z stdout 3 F 1234 text
 *
 * time, stream, incarnation, mark, number, and the bytes that were printed. The marks: `F` a full line, its newline was
 * printed; `P` a piece of a line that goes on in the stream's next record; `E` the end of what a run said, without a
 * newline; `L` a remark of tenement's own about lines that were lost. So what was printed is the texts in order, with
 * a newline after each `F`, and without the `L`s. They are numbered in their order; an `L` has the number of the last
 * line that it stands for.
 *
 * `B` and `C` are for a supervisor that takes over: what was printed of a line that has not ended, from its beginning and
 * going on. They are superseded by the record of that line, and their number is the next one's.
 */
import { isUtf8 } from "node:buffer"
import type { InstanceName } from "../../../domain/Names.ts"
import type { LogLine } from "../../../domain/Views.ts"

export type StreamName = LogLine["stream"]

export type Mark = "F" | "P" | "E" | "L" | "B" | "C"

/** A longer line is kept in pieces. */
export const maxText = 16 * 1024

/** No record is longer. */
export const maxRecord = maxText + 80

export const newline = 10
export const space = 32

export interface LogRecord {
  readonly at: string
  readonly stream: StreamName
  readonly incarnation: number
  readonly mark: Mark
  readonly seq: number
  readonly text: Buffer
}

/** What the records of one moment have in common. */
export interface Stamp {
  readonly at: string
  readonly stream: StreamName
  readonly incarnation: number
}

export const header = ({ at, incarnation, stream }: Stamp, mark: Mark, seq: number): string =>
  `${at} ${stream} ${incarnation} ${mark} ${seq} `

/** A whole record. */
export const encode = (stamp: Stamp, mark: Mark, seq: number, text: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from(header(stamp, mark, seq)), Buffer.from(text), Buffer.of(newline)])

/** The number that the digits from `start` to a space are; `NaN` where anything else is there. */
const numberAt = (line: Buffer, start: number): { readonly value: number; readonly end: number } => {
  let value = 0
  let end = start
  for (; line[end] !== space; end++) {
    const digit = (line[end] ?? 0) - 48
    if (digit < 0 || digit > 9) return { value: NaN, end }
    value = value * 10 + digit
  }
  return { value: end === start ? NaN : value, end }
}

const marks: Readonly<Record<number, Mark>> = { 70: "F", 80: "P", 69: "E", 76: "L", 66: "B", 67: "C" }

/** The record of a line without its newline; `undefined` for what a torn write or another hand left there. */
export const decode = (line: Buffer): LogRecord | undefined => {
  if (line[23] !== 0x5A || line[24] !== space || line[31] !== space) return
  const name = line.toString("latin1", 25, 31)
  if (name !== "stdout" && name !== "stderr") return
  const incarnation = numberAt(line, 32)
  const mark = marks[line[incarnation.end + 1] ?? 0]
  if (mark === undefined || line[incarnation.end + 2] !== space) return
  const seq = numberAt(line, incarnation.end + 3)
  if (!Number.isSafeInteger(incarnation.value) || !Number.isSafeInteger(seq.value)) return
  return {
    at: line.toString("latin1", 0, 24),
    stream: name,
    incarnation: incarnation.value,
    mark,
    seq: seq.value,
    text: line.subarray(seq.end + 1)
  }
}

/** Whether it is anything that a reader is told. */
export const isTold = ({ mark }: LogRecord): boolean => mark !== "B" && mark !== "C"

/** Words for an `L`. */
export const remark = (lost: number, what: string): string => `[tenement: ${lost} lines ${what}]`

/** How many lines an `L` stands for. */
const lostIn = ({ mark, text }: LogRecord): number =>
  mark === "L" ? Number(/^\[tenement: (\d+) /.exec(text.toString("latin1", 0, 40))?.[1] ?? 1) : 0

/** The number of the first line that the record stands for. */
export const firstSeq = (record: LogRecord): number =>
  record.mark === "L" ? record.seq - lostIn(record) + 1 : record.seq

export const toLine = (instance: InstanceName, record: LogRecord): LogLine => {
  const { at, incarnation, mark, seq, stream, text } = record
  return {
    seq,
    at,
    instance,
    stream,
    incarnation,
    text: text.toString("utf8"),
    truncated: mark === "P",
    ...(mark === "E" ? { unfinished: true } : {}),
    ...(mark === "L" ? { lost: lostIn(record) } : {}),
    ...(isUtf8(text) ? {} : { base64: text.toString("base64") })
  }
}
