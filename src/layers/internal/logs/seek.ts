/**
 * Finds a place in a log without reading it: records tell their own number and time, and both only grow. So the files are
 * their own index, which cannot be missing or out of date.
 */
import * as Effect from "effect/Effect"
import type { Position, Source } from "./reader.ts"
import { readAt, sizeOf } from "./reader.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import { list, pathOf } from "./segments.ts"

/** Has a whole record in it wherever it begins. */
const block = 2 * Record.maxRecord

/** What is looked through from its beginning. */
const small = 128 * 1024

/** The first record that begins at `offset` or behind; `undefined` where there is none in a block. */
const recordAt = Effect.fnUntraced(function*(file: string, offset: number) {
  const bytes = yield* readAt(file, offset, block)
  if (bytes === null) return undefined
  return Records.first(bytes, offset === 0 ? 0 : bytes.indexOf(Record.newline) + 1)
})

/** The place of the first record for which `holds`, which must hold for all that come after it as well. */
export const seek = Effect.fnUntraced(
  function*({ directory }: Source, until: Position, holds: (record: Record.LogRecord) => boolean) {
    const segments = (yield* list(directory)).filter((segment) => segment <= until.segment)
    let [low, high] = [-1, segments.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      const first = yield* recordAt(pathOf(directory, segments[middle] ?? 0), 0)
      if (first !== undefined && !holds(first)) low = middle
      else high = middle
    }
    const next: Position = high < segments.length ? { segment: segments[high] ?? 0, offset: 0 } : until
    const segment = segments[low]
    if (segment === undefined) return next
    const file = pathOf(directory, segment)
    const size = segment === until.segment ? until.offset : (yield* sizeOf(file)) ?? 0
    let [begin, end] = [0, size]
    while (end - begin > small) {
      const middle = Math.floor((begin + end) / 2)
      const record = yield* recordAt(file, middle)
      if (record !== undefined && !holds(record)) begin = middle
      else end = middle
    }
    // `begin` lies within a record that does not hold, and so does not the rest of it.
    const bytes = yield* readAt(file, begin, Math.min(size, end + block) - begin)
    const skip = begin === 0 || bytes === null ? 0 : bytes.indexOf(Record.newline) + 1
    const found = Records.told(bytes?.subarray(skip) ?? Buffer.alloc(0), begin + skip).find(({ record }) =>
      holds(record)
    )
    return found === undefined ? next : { segment, offset: found.offset }
  }
)
