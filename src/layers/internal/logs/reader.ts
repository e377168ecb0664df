import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import type { PatternTooSlow } from "../../../internal/pattern.ts"
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

/** A file may be gone by now: rotation waits for no reader. */
const unlessGone = <A, R>(effect: Effect.Effect<A, IoError, R>): Effect.Effect<A | null, IoError, R> =>
  Effect.catchIf(effect, ({ code }) => code === "ENOENT", () => Effect.succeed(null))

const readAt = (file: string, offset: number, length: number) =>
  unlessGone(attempt(file, async () => {
    const handle = await Fs.open(file, "r")
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  }))

const sizeOf = (file: string) =>
  Effect.map(unlessGone(attempt(file, () => Fs.stat(file))), (stat) => stat?.size ?? null)

/** The end of a log as it is now. */
export const end = Effect.fnUntraced(function*({ directory, written }: Source) {
  const known = written()
  if (known !== null) return known
  const segment = (yield* list(directory)).at(-1)
  if (segment === undefined) return origin
  return { segment, offset: (yield* sizeOf(pathOf(directory, segment))) ?? 0 }
})

/** Records from a position on, and where to go on. */
export interface Page {
  readonly records: ReadonlyArray<Record.LogRecord>
  readonly next: Position
  /** Segments that rotation took away before they were read. */
  readonly skipped: number
}

/**
 * Reads at most `chunk` bytes, which must be more than a record has, and nothing that is not before `until`. There is
 * more if the page does not end there.
 */
export const forward = Effect.fnUntraced(
  function*({ directory }: Source, from: Position, until: Position, chunk: number) {
    // A log that is shorter than it was is another one: the instance was removed and came again.
    let position = isBefore(until, from) ? origin : from
    let skipped = 0
    while (isBefore(position, until)) {
      const { offset, segment } = position
      const file = pathOf(directory, segment)
      const limit = segment === until.segment ? until.offset : segment === 0 ? null : yield* sizeOf(file)
      if (limit !== null && offset >= limit) {
        position = { segment: segment + 1, offset: 0 }
        continue
      }
      const bytes = limit === null ? null : yield* readAt(file, offset, Math.min(chunk, limit - offset))
      if (bytes === null || bytes.length === 0) {
        const oldest = (yield* list(directory)).find((number) => number > segment)
        if (oldest === undefined) break
        if (segment > 0) skipped += oldest - segment
        position = { segment: oldest, offset: 0 }
        continue
      }
      const complete = bytes.lastIndexOf(Record.newline) + 1
      // Without a newline it is no record of ours, or torn.
      position = { segment, offset: offset + (complete === 0 ? bytes.length : complete) }
      const records = decodeAll(bytes.subarray(0, complete), offset).map(({ record }) => record)
      if (records.length > 0) {
        const page: Page = { records, next: position, skipped }
        return page
      }
    }
    const page: Page = { records: [], next: until, skipped }
    return page
  }
)

/** What to look back for: the last `count` records that `matches` likes, none of them older than `since`. */
export interface Search {
  readonly count: number
  readonly since: string
  readonly matches: (records: ReadonlyArray<Record.LogRecord>) => Effect.Effect<ReadonlyArray<boolean>, PatternTooSlow>
}

/** Where those records begin, going back from `until`. */
export const lookBack = Effect.fnUntraced(
  function*({ directory }: Source, until: Position, search: Search, chunk: number) {
    let begin = until
    let missing = search.count
    for (let segment = until.segment; segment > 0; segment--) {
      const file = pathOf(directory, segment)
      const size = segment === until.segment ? until.offset : yield* sizeOf(file)
      if (size === null) break
      let to: number = size
      while (to > 0) {
        const from: number = Math.max(0, to - chunk)
        const bytes: Buffer | null = yield* readAt(file, from, to - from)
        if (bytes === null) return begin
        // The first line began before the chunk, unless the file does.
        const skip: number = from === 0 ? 0 : bytes.indexOf(Record.newline) + 1
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
  }
)
