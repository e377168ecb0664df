import * as Effect from "effect/Effect"
import * as fs from "node:fs/promises"
import type { PatternTooSlow } from "./pattern.ts"
import * as Record from "./record.ts"
import { attempt, type IoError, list, pathOf } from "./segments.ts"

/** A place in a log. What is written later lies at a greater one. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

/** Whether `a` lies before `b`. */
export const isBefore = (a: Position, b: Position): boolean =>
  a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)

export const origin: Position = { segment: 0, offset: 0 }

/** Where one instance's log is, and how far it may be read while it is being written. */
export interface Source {
  readonly directory: string
  readonly written: () => Position | null
}

interface Located {
  readonly offset: number
  readonly record: Record.LogRecord
}

/** The records between two newlines of a file, `base` being the offset of `bytes` in it. */
const decodeAll = (bytes: Buffer, base: number): Array<Located> => {
  const found: Array<Located> = []
  let start = 0
  for (let end = bytes.indexOf(Record.newline); end >= 0; end = bytes.indexOf(Record.newline, start)) {
    const record = Record.decode(bytes.subarray(start, end))
    if (record !== undefined) found.push({ offset: base + start, record })
    start = end + 1
  }
  return found
}

const readAt = (file: string, offset: number, length: number) =>
  Effect.acquireUseRelease(
    attempt(file, () => fs.open(file, "r")),
    (handle) =>
      Effect.map(
        attempt(file, () => handle.read(Buffer.allocUnsafe(length), 0, length, offset)),
        ({ buffer, bytesRead }) => buffer.subarray(0, bytesRead)
      ),
    (handle) => Effect.ignore(attempt(file, () => handle.close()))
  )

const sizeOf = (source: Source, segment: number): Effect.Effect<number, IoError> => {
  const written = source.written()
  if (written !== null && written.segment === segment) return Effect.succeed(written.offset)
  const file = pathOf(source.directory, segment)
  return Effect.map(attempt(file, () => fs.stat(file)), ({ size }) => size)
}

const isGone = (error: IoError): boolean => error.code === "ENOENT"

// What rotation took away between the look and the read is looked for no more.
const retryWhenRotated = <A, R>(effect: Effect.Effect<A, IoError | PatternTooSlow, R>) =>
  Effect.retry(effect, { times: 3, while: (error) => error._tag === "IoError" && isGone(error) })

/** The end of a log as it is now. */
export const end = (source: Source): Effect.Effect<Position, IoError> =>
  Effect.gen(function*() {
    const written = source.written()
    if (written !== null) return written
    const last = (yield* list(source.directory)).at(-1)
    return last === undefined ? origin : { segment: last, offset: yield* sizeOf(source, last) }
  }).pipe(Effect.catchIf(isGone, () => Effect.succeed(origin)))

/** Records from a position on, and where to go on; none when there is nothing more yet. */
export interface Page {
  readonly records: ReadonlyArray<Record.LogRecord>
  readonly next: Position
  /** Segments that rotation took away before they were read. */
  readonly skipped: number
}

/** Reads at most `chunk` bytes, which must be more than a record has. */
export const forward = Effect.fnUntraced(function*(source: Source, from: Position, until: Position, chunk: number) {
  // A log that is shorter than it was is another one: the instance was removed and came again.
  let position = isBefore(until, from) ? origin : from
  let skipped = 0
  for (const segment of yield* list(source.directory)) {
    if (segment < position.segment) continue
    if (segment > until.segment) break
    if (segment > position.segment) {
      if (position.segment > 0) skipped += segment - position.segment - 1
      position = { segment, offset: 0 }
    }
    const limit = segment === until.segment ? until.offset : yield* sizeOf(source, segment)
    while (position.offset < limit) {
      const length = Math.min(chunk, limit - position.offset)
      const bytes = yield* readAt(pathOf(source.directory, segment), position.offset, length)
      if (bytes.length === 0) break
      const complete = bytes.lastIndexOf(Record.newline) + 1
      // Without a newline it is no record of ours, or torn.
      const offset = position.offset + (complete === 0 ? bytes.length : complete)
      const records = decodeAll(bytes.subarray(0, complete), position.offset).map(({ record }) => record)
      position = { segment, offset }
      if (records.length > 0) return { records, next: position, skipped }
    }
  }
  return { records: [], next: position, skipped }
}, retryWhenRotated)

/** What to look back for: the last `count` records that `matches` likes, none of them older than `since`. */
export interface Search {
  readonly count: number
  readonly since: string
  readonly matches: (records: ReadonlyArray<Record.LogRecord>) => Effect.Effect<ReadonlyArray<boolean>, PatternTooSlow>
}

/** Where those records begin, going back from `until`. */
export const lookBack = Effect.fnUntraced(function*(source: Source, until: Position, search: Search, chunk: number) {
  let begin = until
  let missing = search.count
  const segments = (yield* list(source.directory)).filter((segment) => segment <= until.segment)
  for (const segment of segments.reverse()) {
    let to = segment === until.segment ? until.offset : yield* sizeOf(source, segment)
    while (to > 0) {
      const from = Math.max(0, to - chunk)
      const bytes = yield* readAt(pathOf(source.directory, segment), from, to - from)
      // The first line began before the chunk, unless the file does.
      const skip = from === 0 ? 0 : bytes.indexOf(Record.newline) + 1
      const located = decodeAll(bytes.subarray(skip), from + skip)
      const wanted = yield* search.matches(located.map(({ record }) => record))
      for (let i = located.length - 1; i >= 0; i--) {
        const { offset, record } = located[i] as Located
        if (missing === 0 || record.at < search.since) return begin
        if (wanted[i] === true) missing--
        begin = { segment, offset }
      }
      to = skip > 0 && from + skip < to ? from + skip : from
    }
  }
  return begin
}, retryWhenRotated)
