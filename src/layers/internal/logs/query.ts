import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { InstanceName } from "../../../domain/Names.ts"
import type { LogLine } from "../../../domain/Views.ts"
import { matches, type PatternTooSlow } from "../../../internal/pattern.ts"
import { LogsFailed } from "../../Errors.ts"
import * as Reader from "./reader.ts"
import * as Record from "./record.ts"
import type { IoError } from "./segments.ts"

/** One instance's log, and what of it a query is about. */
export interface Extent {
  readonly instance: InstanceName
  readonly source: Reader.Source
  readonly until: Reader.Position
  /** Lines that were begun and not ended: they come after what is written. */
  readonly partial: ReadonlyArray<Record.LogRecord>
}

/** Which lines. `since` is a time as records have it, or empty. */
export interface Filter {
  readonly tail: number | null
  readonly since: string
  readonly grep: RegExp | null
}

/** How much is read at once: many logs must not take more memory than one. */
export const chunkFor = (logs: number): number =>
  Math.max(2 * Record.maxRecord, Math.min(128 * 1024, Math.floor(8 * 1024 * 1024 / Math.max(1, logs))))

export const explain = (instance: InstanceName, directory: string) => (error: IoError | PatternTooSlow): LogsFailed =>
  error._tag === "IoError"
    ? new LogsFailed({ instance, path: error.path, code: error.code, problem: "they cannot be read" })
    : new LogsFailed({
      instance,
      path: directory,
      code: "ETIMEDOUT",
      problem: `the pattern ${error.pattern} takes too long; one without nested repetition is quick`
    })

const grepped = (filter: Filter, records: ReadonlyArray<Record.LogRecord>) =>
  filter.grep === null
    ? Effect.succeed(records.map(() => true))
    : matches(filter.grep, records.map(({ text }) => text.toString("utf8")))

/** Those of an instance's records that a query asks for. */
export const select = (instance: InstanceName, filter: Filter, records: ReadonlyArray<Record.LogRecord>) =>
  Effect.map(
    grepped(filter, records),
    (wanted) =>
      records.flatMap((record, index) =>
        wanted[index] === true && record.at >= filter.since ? [Record.toLine(instance, record)] : []
      )
  )

/** A log that is being read. */
class Cursor {
  private readonly extent: Extent
  private readonly filter: Filter
  private readonly chunk: number
  private position: Reader.Position | null = null
  private ended = false
  lines: ReadonlyArray<LogLine> = []

  constructor(extent: Extent, filter: Filter, chunk: number) {
    this.extent = extent
    this.filter = filter
    this.chunk = chunk
  }

  /** Has lines afterwards, unless there are no more. */
  readonly fill = Effect.gen(this, function*() {
    const { chunk, extent: { instance, partial, source, until }, filter } = this
    while (this.lines.length === 0 && !this.ended) {
      this.position ??= yield* this.beginning
      const page = yield* Reader.forward(source, this.position, until, chunk)
      this.position = page.next
      this.ended = !Reader.isBefore(page.next, until)
      this.lines = yield* select(instance, filter, this.ended ? [...page.records, ...partial] : page.records)
    }
  }).pipe(Effect.mapError((error) => explain(this.extent.instance, this.extent.source.directory)(error)))

  private get beginning() {
    const { chunk, extent: { source, until }, filter } = this
    if (filter.tail === null && filter.since === "") return Effect.succeed(Reader.origin)
    const count = filter.tail ?? Infinity
    const matches = (records: ReadonlyArray<Record.LogRecord>) => grepped(filter, records)
    return Reader.lookBack(source, until, { count, since: filter.since, matches }, chunk)
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

/** Later than any record. */
const endOfTime = "~"

const byTime = (a: LogLine, b: LogLine): number => a.at < b.at ? -1 : a.at > b.at ? 1 : 0

/** The lines of several logs in the order of their time. */
export const history = (
  extents: ReadonlyArray<Extent>,
  filter: Filter
): Stream.Stream<LogLine, LogsFailed> =>
  Stream.suspend(() => {
    const chunk = chunkFor(extents.length)
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

const gap = (instance: InstanceName, before: Record.LogRecord, segments: number): LogLine => ({
  at: before.at,
  instance,
  stream: "stderr",
  incarnation: before.incarnation,
  text: `[tenement: ${segments} files were rotated away here before this reader came to them]`,
  truncated: false
})

/**
 * The lines that are written after `ends`, from the files: a reader that is slow is behind, and holds up nobody.
 */
export const follow = (options: {
  readonly news: News
  readonly ends: ReadonlyArray<Extent>
  readonly sourceOf: (instance: InstanceName) => Reader.Source
  readonly filter: Filter
}): Stream.Stream<LogLine, LogsFailed> =>
  Stream.suspend(() => {
    const { filter, news, sourceOf } = options
    const chunk = chunkFor(1)
    const positions = new Map(options.ends.map(({ instance, until }) => [instance, until]))
    const page = Effect.fnUntraced(function*(instance: InstanceName) {
      const source = sourceOf(instance)
      return yield* Effect.gen(function*() {
        const until = yield* Reader.end(source)
        const { next, records, skipped } = yield* Reader.forward(
          source,
          positions.get(instance) ?? Reader.origin,
          until,
          chunk
        )
        positions.set(instance, next)
        if (Reader.isBefore(next, until)) news.tell(instance)
        const lines = yield* select(instance, filter, records)
        const [first] = records
        return skipped > 0 && first !== undefined ? [gap(instance, first, skipped), ...lines] : lines
      }).pipe(Effect.mapError(explain(instance, source.directory)))
    })
    return Stream.repeatEffectChunk(Effect.gen(function*() {
      const instances = yield* news.take
      const lines = yield* Effect.forEach(instances, page, { concurrency: 8 })
      return Chunk.unsafeFromArray(lines.length === 1 ? lines.flat() : lines.flat().sort(byTime))
    }))
  })
