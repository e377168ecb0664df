import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import type { PatternTooSlow } from "../../../internal/pattern.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import { attempt, type IoError, isCode, list, pathOf } from "./segments.ts"

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

/** Those records that are wanted among the bytes between two newlines of a file, `base` being their offset in it. */
export type Find = (
  bytes: Buffer,
  base: number
) => Effect.Effect<ReadonlyArray<Records.Located>, PatternTooSlow>

/** A file may be gone by now: rotation waits for no reader. */
const unlessGone = <A, R>(effect: Effect.Effect<A, IoError, R>): Effect.Effect<A | null, IoError, R> =>
  Effect.catchIf(effect, isCode("ENOENT"), () => Effect.succeed(null))

export const readAt = (file: string, offset: number, length: number) =>
  unlessGone(attempt(file, async () => {
    const handle = await Fs.open(file, "r")
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  }))

export const sizeOf = (file: string) =>
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
  /** What was looked at first; `null` where there was nothing. */
  readonly first: Record.LogRecord | null
  /** The number of the last line that was looked at. */
  readonly last: number | null
}

/**
 * Reads at most `chunk` bytes, which must be more than a record has, and nothing that is not before `until`. There is
 * more if the page does not end there.
 */
export const forward = Effect.fnUntraced(
  function*({ directory }: Source, from: Position, until: Position, chunk: number, find: Find) {
    let position = from
    let first: Record.LogRecord | null = null
    let last: number | null = null
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
        // What follows does not follow on what was seen: it is another page.
        if (first !== null) break
        const oldest = (yield* list(directory)).find((number) => number > segment)
        position = oldest === undefined ? until : { segment: oldest, offset: 0 }
        continue
      }
      const complete = bytes.lastIndexOf(Record.newline) + 1
      // Without a newline it is no record of ours, or torn.
      position = { segment, offset: offset + (complete === 0 ? bytes.length : complete) }
      const whole = bytes.subarray(0, complete)
      first ??= Records.first(whole) ?? null
      last = Records.lastSeq(whole) ?? last
      const records = (yield* find(whole, offset)).map(({ record }) => record)
      if (records.length > 0) {
        const page: Page = { records, next: position, first, last }
        return page
      }
    }
    const page: Page = { records: [], next: position, first, last }
    return page
  }
)

/** What to look back for: the last `count` records that are found, none of them before `floor`. */
export interface Search {
  readonly count: number
  readonly floor: Position
  readonly find: Find
}

/** Where those records begin, going back from `until`. */
export const lookBack = Effect.fnUntraced(
  function*({ directory }: Source, until: Position, { count, find, floor }: Search, chunk: number) {
    let begin = until
    let missing = count
    for (let segment = until.segment; missing > 0 && segment > 0 && segment >= floor.segment; segment--) {
      const file = pathOf(directory, segment)
      const size = segment === until.segment ? until.offset : yield* sizeOf(file)
      if (size === null) break
      const lowest = segment === floor.segment ? floor.offset : 0
      let to: number = size
      while (missing > 0 && to > lowest) {
        const from: number = Math.max(lowest, to - chunk)
        const bytes: Buffer | null = yield* readAt(file, from, to - from)
        if (bytes === null) return begin
        // The first line began before the chunk, unless the file does, or what is looked at.
        const skip: number = from === lowest ? 0 : bytes.indexOf(Record.newline) + 1
        const found = yield* find(bytes.subarray(skip), from + skip)
        const oldest = found.slice(-missing)[0]
        if (oldest !== undefined) begin = { segment, offset: oldest.offset }
        missing -= Math.min(missing, found.length)
        to = skip > 0 && from + skip < to ? from + skip : from
      }
    }
    return begin
  }
)
