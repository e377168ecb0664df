/**
 * What instances print: kept byte for byte in rotated files, tagged with time, stream and incarnation.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { InstanceName } from "../domain/Names.ts"
import type { LogLine } from "../domain/Views.ts"
import { acquire } from "../internal/acquire.ts"
import { bounded } from "../internal/bounded.ts"
import { codeOf, unless } from "../internal/errno.ts"
import { LogsFailed } from "./Errors.ts"
import { folderName, nameOf } from "./internal/folderName.ts"
import * as Direct from "./internal/logs/direct.ts"
import * as Fifo from "./internal/logs/fifo.ts"
import * as Filter from "./internal/logs/filter.ts"
import * as Pump from "./internal/logs/pump.ts"
import * as Query from "./internal/logs/query.ts"
import * as Reader from "./internal/logs/reader.ts"
import type { Left } from "./internal/logs/relaying.ts"
import { attempt } from "./internal/logs/segments.ts"
import * as LauncherRelay from "./LauncherRelay.ts"
import type { LossReason } from "./Metrics.ts"

/**
 * Which lines to read. `instances` empty means all; `sinceMs` is milliseconds since 1970; `grep` is matched against the
 * line's text; of the instances in `after`, the lines behind the one with that number are read, and `sinceMs` is for the
 * others; with `follow` the stream goes on with what comes.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogQuery {
  readonly instances: ReadonlyArray<InstanceName>
  readonly tail: number | null
  readonly sinceMs: number | null
  readonly grep: RegExp | null
  readonly after?: ReadonlyMap<InstanceName, number>
  readonly follow: boolean
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Logs extends Context.Tag("tenement/layers/Logs")<Logs, {
  /**
   * Opens an instance's log for as long as the scope lives: its FIFOs, its files, the pump between them.
   */
  readonly open: (instance: InstanceName) => Effect.Effect<InstanceLog, LogsFailed, Scope.Scope>
  /** Lines in the order of their time. Without `follow` the stream ends. */
  readonly read: (query: LogQuery) => Stream.Stream<LogLine, LogsFailed>
  /** The newest `count` lines of one instance, or of one of its runs, oldest first. */
  readonly last: (
    instance: InstanceName,
    count: number,
    incarnation?: number
  ) => Effect.Effect<ReadonlyArray<LogLine>, LogsFailed>
  /** An instance is gone: its logs stay, to be read, and what else there was for it goes. */
  readonly forget: (instance: InstanceName) => Effect.Effect<void>
  /** Deletes the logs of an instance that is gone. */
  readonly remove: (instance: InstanceName) => Effect.Effect<void, LogsFailed>
}>() {}

/**
 * The log of one instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceLog {
  /**
   * The descriptors for one run, to be handed to its process and closed with the scope right after the launch. What the
   * run before still had to say is read first: `begun` waits for that, and its program may not print before. Lines that
   * are read afterwards carry this incarnation.
   */
  readonly begin: (incarnation: number) => Effect.Effect<
    { readonly stdout: number; readonly stderr: number; readonly begun: Effect.Effect<void> },
    LogsFailed,
    Scope.Scope
  >
  /** Goes on with what a run says that an earlier supervisor began, in the midst of a line if that left one. */
  readonly resume: (incarnation: number) => Effect.Effect<void>
  /** The run is over: what it still had to say is read, and a last line without a newline is a line. */
  readonly end: Effect.Effect<void>
  /** Another supervisor is to read on: what was read is written, also what of it is no line yet. For good. */
  readonly leave: Effect.Effect<void>
}

/**
 * Where logs are kept, when a file is full, and how many full ones are kept beside the one that is written.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogsOptions {
  readonly dataDir: string
  readonly maxBytes: number
  readonly keep: number
  /** Is told of lines that are gone. */
  readonly onLost?: (instance: InstanceName, reason: LossReason, lines: number) => Effect.Effect<void>
}

// No service has a name with a dot. An instance's own folder will not do: its user could put a link in a log's place.
const folder = ".logs"

const isInstanceName = Schema.is(InstanceName)

const latestTime = Date.parse("9999-12-31T23:59:59.999Z")

/** A time as records have it; empty for all of them. */
const timestamp = (ms: number | null): string =>
  ms === null || !(ms > 0) ? "" : new Date(Math.min(ms, latestTime)).toISOString()

/** How much of what an earlier supervisor had heard is in the log already. */
const loggedOf = (pump: Pump.Pump, left: Left | null) => {
  const bytesOf = (stream: LogLine["stream"]) =>
    left?.streams.includes(stream) ? pump.bytesSince(left.progress, stream) : Effect.succeed(0)
  return Effect.all({ stdout: bytesOf("stdout"), stderr: bytesOf("stderr") })
}

/**
 * Logs in files: `{dataDir}/.logs/SERVICE.ID/00000001.log` and so on, readable by the supervisor's user alone.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: LogsOptions): Layer.Layer<Logs> =>
  Layer.scoped(
    Logs,
    Effect.gen(function*() {
      const root = Path.join(options.dataDir, folder)
      const pumps = new Map<InstanceName, Pump.Pump>()
      const folders = () => unless(["ENOENT"], () => Fs.readdirSync(root)) ?? []
      const makeFifos = Fifo.makeMaker()
      const relay = yield* LauncherRelay.make({
        root,
        folders: () => folders().filter((name) => isInstanceName(nameOf(name))).map((name) => Path.join(root, name)),
        makeFifos
      })
      const followers = new Set<(instance: InstanceName) => void>()
      const shared: Pump.Shared = {
        clock: yield* Effect.clock,
        maxBytes: options.maxBytes,
        keep: options.keep,
        run: yield* FiberSet.makeRuntime<never, void, never>(),
        makeFifos,
        lost: options.onLost ?? (() => Effect.void),
        written: (instance) => {
          for (const tell of followers) tell(instance)
        }
      }
      const direct: Direct.DirectOptions = {
        failed: (path, error) => void shared.run(Effect.logError(`${path} cannot be read`, error)),
        buffer: Buffer.allocUnsafeSlow(64 * 1024)
      }

      const directoryOf = (instance: InstanceName): string => Path.join(root, folderName(instance))
      const sourceOf = (instance: InstanceName): Reader.Source => ({
        directory: directoryOf(instance),
        written: () => pumps.get(instance)?.written ?? null
      })

      const open = Effect.fn("Logs.open")(function*(instance: InstanceName) {
        const directory = directoryOf(instance)
        const relaying = yield* relay
        const connect = (pump: Pump.Pump) =>
          relaying === null
            ? Effect.try({
              try: () => Direct.open(Fifo.pathsOf(directory), pump, direct),
              catch: (cause) => Pump.failed(instance, directory, codeOf(cause), "its FIFOs cannot be opened")
            })
            : Effect.map(
              loggedOf(pump, relaying.left(instance)),
              (logged) => relaying.attach({ instance, directory, sink: pump, progress: pump.progress, logged })
            )
        const pump = yield* acquire(
          Pump.make(instance, directory, shared, connect),
          (pump) => {
            if (pumps.get(instance) === pump) pumps.delete(instance)
            return pump.close
          }
        )
        pumps.set(instance, pump)
        const log: InstanceLog = {
          begin: (incarnation) =>
            Effect.zipWith(pump.begin(incarnation), pump.descriptors, (begun, own) => ({ ...own, begun })),
          resume: (incarnation) => Effect.flatten(pump.begin(incarnation)),
          end: pump.end,
          leave: pump.leave
        }
        return log
      }, Effect.uninterruptible)

      const all = Effect.sync(() => folders().map(nameOf).filter(isInstanceName))

      /** The logs as they are now, with all in them that was said until now. */
      const extentsOf = Effect.fnUntraced(function*(
        instances: ReadonlyArray<InstanceName>,
        after?: LogQuery["after"]
      ) {
        const settled = Effect.forEach(instances, (instance) => pumps.get(instance)?.settled ?? Effect.void, {
          concurrency: "unbounded",
          discard: true
        })
        yield* bounded(settled, "2 seconds")
        return yield* Effect.forEach(instances, (instance) => {
          const source = sourceOf(instance)
          const partial = pumps.get(instance)?.partial ?? []
          return Effect.mapBoth(Reader.end(source), {
            onSuccess: (until): Query.Extent => ({
              instance,
              source,
              until,
              partial,
              after: after?.get(instance) ?? null
            }),
            onFailure: Filter.explain(instance, source.directory)
          })
        }, { concurrency: 16 })
      })

      const read = (query: LogQuery): Stream.Stream<LogLine, LogsFailed> =>
        Stream.unwrapScoped(Effect.gen(function*() {
          const wanted = new Set(query.instances)
          const filter: Filter.Filter = {
            tail: query.tail === null ? null : Math.max(0, query.tail),
            since: timestamp(query.sinceMs),
            grep: query.grep,
            incarnation: null
          }
          const news = new Query.News()
          if (query.follow) {
            const tell = (instance: InstanceName) => {
              if (wanted.size === 0 || wanted.has(instance)) news.tell(instance)
            }
            yield* Effect.acquireRelease(
              Effect.sync(() => followers.add(tell)),
              () => Effect.sync(() => followers.delete(tell))
            )
          }
          const extents = yield* extentsOf(wanted.size === 0 ? yield* all : [...wanted], query.after)
          if (!query.follow) return Query.history(extents, filter)
          // A line that has not ended is told when it has.
          const past = Query.history(extents.map((extent) => ({ ...extent, partial: [] })), filter)
          return Stream.concat(past, Query.follow({ news, ends: yield* Query.ends(extents), sourceOf, filter }))
        }))

      return {
        open,
        read,
        last: Effect.fn("Logs.last")(function*(instance, count, incarnation) {
          const extents = yield* extentsOf([instance])
          const filter = { tail: count, since: "", grep: null, incarnation: incarnation ?? null }
          return Chunk.toReadonlyArray(yield* Stream.runCollect(Query.history(extents, filter)))
        }),
        forget: Effect.fn("Logs.forget")((instance) =>
          Effect.sync(() => {
            const directory = directoryOf(instance)
            for (const fifo of Object.values(Fifo.pathsOf(directory))) unless(["ENOENT"], () => Fs.unlinkSync(fifo))
            unless(["ENOENT", "ENOTEMPTY", "EEXIST"], () => Fs.rmdirSync(directory))
          })
        ),
        remove: Effect.fn("Logs.remove")((instance) => {
          const directory = directoryOf(instance)
          return Effect.mapError(
            attempt(directory, () => Fs.promises.rm(directory, { recursive: true, force: true })),
            ({ code }) => new LogsFailed({ instance, path: directory, code, problem: "they cannot be deleted" })
          )
        })
      }
    })
  )

/**
 * Logs in a temporary folder that is gone with the layer: for tests, and for programs that keep nothing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTemporary: Layer.Layer<Logs> = Layer.unwrapScoped(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-logs-"))),
      (dataDir) => Effect.sync(() => Fs.rmSync(dataDir, { recursive: true, force: true }))
    ),
    (dataDir) => layer({ dataDir, maxBytes: 1024 * 1024, keep: 1 })
  )
)
