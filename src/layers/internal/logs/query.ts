import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { InstanceName } from "../../../domain/Names.ts"
import type { LogLine } from "../../../domain/Views.ts"
import { LogsFailed } from "../../Errors.ts"
import * as Filter from "./filter.ts"
import * as Reader from "./reader.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import { last } from "./recovery.ts"
import { seek } from "./seek.ts"

/** One instance's log, and what of it a query is about. */
export interface Extent {
  readonly instance: InstanceName
  readonly source: Reader.Source
  readonly until: Reader.Position
  /** The number of the last line that is known already; `null` where none is. */
  readonly after: number | null
  /** Lines that were begun and not ended: they come after what is written. */
  readonly partial: ReadonlyArray<Record.LogRecord>
}

/** How far a log was read, and what is known of what comes next. */
export interface Place {
  readonly position: Reader.Position
  /** The number that the next line should have; `null` where any will do. */
  readonly expected: number | null
}

/** The next lines, with a remark where some are missing before them. */
const advance = Effect.fnUntraced(function*(
  { instance, partial, source, until }: Pick<Extent, "instance" | "source" | "until" | "partial">,
  place: Place,
  find: Reader.Find,
  chunk: number
) {
  const page = yield* Reader.forward(source, place.position, until, chunk, find)
  const ended = !Reader.isBefore(page.next, until)
  const begun = ended && partial.length > 0 ? yield* find(Records.joined(partial), 0) : []
  const records = [...page.records, ...begun.map(({ record }) => record)]
  const lines = records.map((record) => Record.toLine(instance, record))
  const { first } = page
  const lost = place.expected === null || first === null ? 0 : Record.firstSeq(first) - place.expected
  return {
    lines: lost > 0 && first !== null ? [Filter.gap(instance, first, lost), ...lines] : lines,
    ended,
    place: { position: page.next, expected: page.last === null ? place.expected : page.last + 1 }
  }
})

/** A log that is being read. */
class Cursor {
  private readonly extent: Extent
  private readonly filter: Filter.Filter
  private readonly find: Reader.Find
  private readonly chunk: number
  private place: Place | null = null
  private ended = false
  lines: ReadonlyArray<LogLine> = []

  constructor(extent: Extent, filter: Filter.Filter, chunk: number) {
    this.extent = extent
    // Who knows what it has seen asks for all that follows.
    this.filter = extent.after === null ? filter : { ...filter, since: "" }
    this.find = Filter.finder(this.filter)
    this.chunk = chunk
  }

  /** Has lines afterwards, unless there are no more. */
  readonly fill = Effect.gen(this, function*() {
    while (this.lines.length === 0 && !this.ended) {
      const next = yield* advance(this.extent, this.place ?? (yield* this.beginning), this.find, this.chunk)
      this.place = next.place
      this.ended = next.ended
      this.lines = next.lines
    }
  }).pipe(Effect.mapError((error) => Filter.explain(this.extent.instance, this.extent.source.directory)(error)))

  private get beginning() {
    const { chunk, extent: { after, source, until }, filter: { grep, incarnation, since, tail }, find } = this
    return Effect.gen(function*() {
      const known = after === null ? null : yield* whereAfter(source, until, after)
      const isWhole = since === "" && incarnation === null && tail === null
      if (isWhole) return known ?? { position: Reader.origin, expected: grep === null ? 1 : null }
      const young = since === "" ? Reader.origin : yield* seek(source, until, ({ at }) => at >= since)
      const floor = known === null || Reader.isBefore(known.position, young) ? young : known.position
      if (tail === null && incarnation === null) {
        return floor === known?.position ? known : { position: floor, expected: null }
      }
      // Runs are in the order of their numbers, and what came later need not be read.
      const top = incarnation === null
        ? until
        : yield* seek(source, until, (record) => record.incarnation > incarnation)
      const position = yield* Reader.lookBack(source, top, { count: tail ?? Infinity, floor, find }, chunk)
      return { position, expected: null }
    })
  }

  /** Nothing that is still to be read of this log is earlier. */
  get horizon(): string {
    return this.ended ? endOfTime : this.lines.at(-1)?.at ?? ""
  }

  /** Takes the lines that are not later than `horizon`, at least one if it is this log's own. */
  take(horizon: string): ReadonlyArray<LogLine> {
    const { lines } = this
    const later = this.horizon === horizon ? -1 : lines.findIndex(({ at }) => at > horizon)
    this.lines = later < 0 ? [] : lines.slice(later)
    return later < 0 ? lines : lines.slice(0, later)
  }
}

/** The place behind a line. A log that does not come up to it is another one: the instance was removed and came again. */
const whereAfter = Effect.fnUntraced(function*(source: Reader.Source, until: Reader.Position, after: number) {
  const { seq } = yield* last(source.directory, until)
  const place: Place = seq < after
    ? { position: Reader.origin, expected: 1 }
    : { position: yield* seek(source, until, (record) => record.seq > after), expected: after + 1 }
  return place
})

/** Later than any record. */
const endOfTime = "~"

const byTime = (a: LogLine, b: LogLine): number => a.at < b.at ? -1 : a.at > b.at ? 1 : 0

/** The lines of several logs in the order of their time. */
export const history = (
  extents: ReadonlyArray<Extent>,
  filter: Filter.Filter
): Stream.Stream<LogLine, LogsFailed> =>
  Stream.suspend(() => {
    const chunk = Filter.chunkFor(extents.length, filter)
    let cursors = extents.map((extent) => new Cursor(extent, filter, chunk))
    const merged = Stream.repeatEffectChunkOption(
      Effect.gen(function*() {
        const empty = cursors.filter(({ lines }) => lines.length === 0)
        yield* Effect.forEach(empty, (cursor) => cursor.fill, { concurrency: 8, discard: true })
        cursors = cursors.filter(({ lines }) => lines.length > 0)
        if (cursors.length === 0) return yield* Effect.fail(Option.none())
        const horizon = cursors.reduce((min, cursor) => cursor.horizon < min ? cursor.horizon : min, endOfTime)
        const taken = cursors.map((cursor) => cursor.take(horizon))
        const [first, ...more] = taken
        return Chunk.unsafeFromArray(first !== undefined && more.length === 0 ? first : taken.flat().sort(byTime))
      }).pipe(Effect.mapError((error) => error instanceof LogsFailed ? Option.some(error) : error))
    )
    // Each log gave as many; the newest of all are asked for.
    return filter.tail === null ? merged : Stream.takeRight(merged, Math.min(filter.tail, 1_000_000))
  })

/** A subscription to what is written. */
export class News {
  private readonly dirty = new Set<InstanceName>()
  private readonly latch = Effect.unsafeMakeLatch(false)

  tell(instance: InstanceName): void {
    this.dirty.add(instance)
    this.latch.unsafeOpen()
  }

  readonly take: Effect.Effect<ReadonlyArray<InstanceName>> = Effect.map(this.latch.await, () => {
    this.latch.unsafeClose()
    const instances = [...this.dirty]
    this.dirty.clear()
    return instances
  })
}

const beginning: Place = { position: Reader.origin, expected: 1 }

/** Where logs end: for a reader that is to go on there, and may come when rotation has passed. */
export const ends = (extents: ReadonlyArray<Extent>): Effect.Effect<ReadonlyMap<InstanceName, Place>, LogsFailed> =>
  Effect.map(
    Effect.forEach(extents, ({ instance, source, until }) =>
      Effect.mapBoth(last(source.directory, until), {
        onSuccess: ({ seq }) => [instance, { position: until, expected: seq + 1 }] as const,
        onFailure: Filter.explain(instance, source.directory)
      }), { concurrency: 8 }),
    (places) => new Map(places)
  )

/**
 * The lines that are written after `ends`, from the files: a reader that is slow is behind, and holds up nobody.
 */
export const follow = (options: {
  readonly news: News
  readonly ends: ReadonlyMap<InstanceName, Place>
  readonly sourceOf: (instance: InstanceName) => Reader.Source
  readonly filter: Filter.Filter
}): Stream.Stream<LogLine, LogsFailed> =>
  Stream.suspend(() => {
    const { ends, filter, news, sourceOf } = options
    const chunk = Filter.chunkFor(1, { ...filter, grep: null })
    const find = Filter.finder(filter)
    const places = new Map(ends)
    const page = Effect.fnUntraced(function*(instance: InstanceName) {
      const source = sourceOf(instance)
      return yield* Effect.gen(function*() {
        const until = yield* Reader.end(source)
        const place = places.get(instance)
        // A log that is shorter than it was is another one: the instance was removed and came again.
        const from = place === undefined || Reader.isBefore(until, place.position) ? beginning : place
        const next = yield* advance({ instance, source, until, partial: [] }, from, find, chunk)
        places.set(instance, next.place)
        if (!next.ended) news.tell(instance)
        return next.lines
      }).pipe(Effect.mapError(Filter.explain(instance, source.directory)))
    })
    return Stream.repeatEffectChunk(Effect.gen(function*() {
      const instances = yield* news.take
      const lines = yield* Effect.forEach(instances, page, { concurrency: 8 })
      return Chunk.unsafeFromArray(lines.length === 1 ? lines.flat() : lines.flat().sort(byTime))
    }))
  })
