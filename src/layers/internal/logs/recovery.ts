/** What a log tells the supervisor that goes on with it. */
import * as Effect from "effect/Effect"
import { type Position, readAt, sizeOf } from "./reader.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import { list, pathOf } from "./segments.ts"

export interface Past {
  /** The number of the last line, and its time; 0 and empty where there is none. */
  readonly seq: number
  readonly at: string
  /** Lines whose end had not come, and the run that printed them. */
  readonly open: ReadonlyArray<readonly [stream: Record.StreamName, text: Buffer]>
  readonly incarnation: number
}

export const none: Past = { seq: 0, at: "", open: [], incarnation: 0 }

/** The beginning of an open line is written again before it is that far back. */
const reach = 128 * 1024

/** The last `length` bytes before `until`, as far as there are so many in two files. */
const tail = Effect.fnUntraced(function*(directory: string, until: Position, length: number) {
  const read = Effect.fnUntraced(function*(segment: number, end: number, length: number) {
    const from = Math.max(0, end - length)
    return (yield* readAt(pathOf(directory, segment), from, end - from)) ?? Buffer.alloc(0)
  })
  const bytes = until.offset === 0 ? Buffer.alloc(0) : yield* read(until.segment, until.offset, length)
  if (bytes.length >= length) return bytes
  const before = (yield* list(directory)).findLast((segment) => segment < until.segment)
  if (before === undefined) return bytes
  const size = (yield* sizeOf(pathOf(directory, before))) ?? 0
  return Buffer.concat([yield* read(before, size, length - bytes.length), bytes])
})

/** Reads the end of a log that nobody writes. */
export const read = (directory: string, until: Position) => Effect.map(tail(directory, until, reach), parse)

/** The records before `until` that came after the line with this number, newest first. */
export const since = Effect.fnUntraced(function*(directory: string, until: Position, seq: number) {
  for (let length = reach;; length *= 8) {
    const bytes = yield* tail(directory, until, length)
    const found: Array<Record.LogRecord> = []
    for (const record of Records.backwards(bytes, true)) {
      if (Record.isTold(record) && record.seq <= seq) return found
      found.push(record)
    }
    if (bytes.length < length) return found
  }
})

/** The last line before `until`. */
export const last = (directory: string, until: Position) =>
  Effect.map(tail(directory, until, 2 * Record.maxRecord), parse)

/** What the last bytes of a log tell. */
export const parse = (bytes: Buffer): Past => {
  let newest: Record.LogRecord | undefined
  let incarnation = 0
  const pieces = { stdout: [] as Array<Buffer>, stderr: [] as Array<Buffer> }
  const open: Array<readonly [Record.StreamName, Buffer]> = []
  const settled = new Set<Record.StreamName>()
  // What comes first may be cut; then it is no record.
  for (const record of Records.backwards(bytes, true)) {
    newest ??= record
    const { mark, stream, text } = record
    if (mark === "L" || settled.has(stream)) continue
    pieces[stream].unshift(text)
    if (mark === "C") continue
    if (mark === "B") {
      open.push([stream, Buffer.concat(pieces[stream])])
      incarnation = record.incarnation
    }
    settled.add(stream)
    if (settled.size === 2) break
  }
  if (newest === undefined) return none
  const isOpen = newest.mark === "B" || newest.mark === "C"
  return { seq: isOpen ? newest.seq - 1 : newest.seq, at: newest.at, open, incarnation }
}
