/**
 * A line of a log as it is on disk:
 *
 *     2026-01-02T03:04:05.678Z stdout 3 F text
 *
 * time, stream, incarnation, mark, and the bytes that were printed. The marks: `F` a full line, its newline was
 * printed; `P` a piece of a line that goes on in the stream's next record; `E` the end of what a run said, without a
 * newline; `L` a remark of tenement's own about lines that were lost. So what was printed is the texts in order, with
 * a newline after each `F`, and without the `L`s.
 */
import type { InstanceName } from "../../../domain/Names.ts"
import type { LogLine } from "../../../domain/Views.ts"

export type StreamName = LogLine["stream"]

export type Mark = "F" | "P" | "E" | "L"

/** A longer line is kept in pieces. */
export const maxText = 16 * 1024

/** No record is longer. */
export const maxRecord = maxText + 64

export const newline = 10
const space = 32

export interface LogRecord {
  readonly at: string
  readonly stream: StreamName
  readonly incarnation: number
  readonly mark: Mark
  readonly text: Buffer
}

/** What the records of one moment have in common. */
export interface Stamp {
  readonly at: string
  readonly stream: StreamName
  readonly incarnation: number
}

const header = ({ at, incarnation, stream }: Stamp, mark: Mark): string => `${at} ${stream} ${incarnation} ${mark} `

/** A whole record. */
export const encode = (stamp: Stamp, mark: Mark, text: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from(header(stamp, mark)), Buffer.from(text), Buffer.of(newline)])

/** The record of a line without its newline; `undefined` for what a torn write or another hand left there. */
export const decode = (line: Buffer): LogRecord | undefined => {
  const afterIncarnation = line.indexOf(space, 32)
  if (line[23] !== 0x5A || line[24] !== space || line[31] !== space || line[afterIncarnation + 2] !== space) return
  const stream = line.toString("latin1", 25, 31)
  const mark = String.fromCharCode(line[afterIncarnation + 1] ?? 0)
  const incarnation = Number(line.toString("latin1", 32, afterIncarnation))
  if (stream !== "stdout" && stream !== "stderr") return
  if (mark !== "F" && mark !== "P" && mark !== "E" && mark !== "L") return
  if (!Number.isSafeInteger(incarnation)) return
  return { at: line.toString("latin1", 0, 24), stream, incarnation, mark, text: line.subarray(afterIncarnation + 3) }
}

export const toLine = (instance: InstanceName, record: LogRecord): LogLine => ({
  at: record.at,
  instance,
  stream: record.stream,
  incarnation: record.incarnation,
  text: record.text.toString("utf8"),
  truncated: record.mark === "P"
})

/** Where to cut what is too long: never inside a UTF-8 character, if it is UTF-8. */
const cutBefore = (data: Buffer, limit: number): number => {
  for (let cut = limit; cut > limit - 4; cut--) if (((data[cut] ?? 0) & 0xC0) !== 0x80) return cut
  return limit
}

/** Cuts what one stream prints into records. Keeps the beginning of a line until its end comes. */
export class Splitter {
  private carry: Buffer | null = null

  /** The records that `chunk` completes, each with its newline. `chunk` may be used again afterwards. */
  push(chunk: Buffer, stamp: Stamp): Buffer {
    const data = this.carry === null ? chunk : Buffer.concat([this.carry, chunk])
    const full = Buffer.from(header(stamp, "F"))
    const pieces: Array<number> = []
    let start = 0
    let size = 0
    // Ends are told from pieces by their sign: a piece never ends at 0.
    const cutDownTo = (end: number) => {
      while (end - start > maxText) {
        const cut = cutBefore(data, start + maxText)
        pieces.push(-cut)
        size += full.length + cut - start + 1
        start = cut
      }
    }
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      cutDownTo(end)
      pieces.push(end)
      size += full.length + end - start + 1
      start = end + 1
    }
    cutDownTo(data.length)
    this.carry = start === data.length ? null : Buffer.from(data.subarray(start))
    return join(data, pieces, full, Buffer.from(header(stamp, "P")), size)
  }

  /** What was printed of a line whose end has not come. */
  get partial(): Buffer | null {
    return this.carry
  }

  /** What comes next goes on with this. */
  goOn(partial: Buffer): void {
    this.carry = partial
  }

  /** Nothing more comes: the record of a last line without newline. */
  end(stamp: Stamp): Buffer | null {
    const rest = this.carry
    this.carry = null
    return rest === null ? null : encode(stamp, "E", rest)
  }
}

const join = (data: Buffer, ends: ReadonlyArray<number>, full: Buffer, piece: Buffer, size: number): Buffer => {
  const out = Buffer.allocUnsafe(size)
  let from = 0
  let to = 0
  for (const end of ends) {
    const whole = end >= 0
    const until = whole ? end : -end
    out.set(whole ? full : piece, to)
    to += full.length
    // A loop is quicker than a call for what most lines are.
    if (until - from < 64) { for (let i = from; i < until; i++) out[to++] = data[i] as number }
    else to += data.copy(out, to, from, until)
    out[to++] = newline
    from = whole ? until + 1 : until
  }
  return out
}
