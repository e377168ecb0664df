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
import type { Unfinished } from "../domain/Saved.ts"
import type { LogLine } from "../domain/Views.ts"
import { acquire } from "../internal/acquire.ts"
import { bounded } from "../internal/bounded.ts"
import { unless } from "../internal/errno.ts"
import { LogsFailed } from "./Errors.ts"
import { folderName, nameOf } from "./internal/folderName.ts"
import * as Fifo from "./internal/logs/fifo.ts"
import * as Pump from "./internal/logs/pump.ts"
import * as Query from "./internal/logs/query.ts"
import * as Reader from "./internal/logs/reader.ts"
import { attempt } from "./internal/logs/segments.ts"

/**
 * Which lines to read. `instances` empty means all; `sinceMs` and what follows are milliseconds since 1970; `grep` is
 * matched against the line's text; with `follow` the stream goes on with what comes.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogQuery {
  readonly instances: ReadonlyArray<InstanceName>
  readonly tail: number | null
  readonly sinceMs: number | null
  readonly grep: RegExp | null
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
  /** The newest `count` lines of one instance, oldest first. */
  readonly last: (instance: InstanceName, count: number) => Effect.Effect<ReadonlyArray<LogLine>, LogsFailed>
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
   * The descriptors for one run, to be handed to its process and closed with the scope right after the launch. Lines
   * read from now on carry this incarnation; what the run before still had to say is read first.
   */
  readonly begin: (
    incarnation: number
  ) => Effect.Effect<{ readonly stdout: number; readonly stderr: number }, LogsFailed, Scope.Scope>
  /** Goes on with what a run says that an earlier supervisor began, in the midst of a line if that left one. */
  readonly resume: (incarnation: number, unfinished?: Unfinished) => Effect.Effect<void>
  /** The run is over: what it still had to say is read, and a last line without a newline is a line. */
  readonly end: Effect.Effect<void>
  /** Another supervisor is to read on: what was read is written, and what of it is no line yet is given. For good. */
  readonly leave: Effect.Effect<Unfinished>
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
  /** Is told of lines that could not be kept. */
  readonly onLost?: (instance: InstanceName, lines: number) => Effect.Effect<void>
}

// No service has a name with a dot. An instance's own folder will not do: its user could put a link in a log's place.
const folder = ".logs"

const isInstanceName = Schema.is(InstanceName)

const latestTime = Date.parse("9999-12-31T23:59:59.999Z")

/** A time as records have it; empty for all of them. */
const timestamp = (ms: number | null): string =>
  ms === null || !(ms > 0) ? "" : new Date(Math.min(ms, latestTime)).toISOString()

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
      const followers = new Set<(instance: InstanceName) => void>()
      const shared: Pump.Shared = {
        clock: yield* Effect.clock,
        maxBytes: options.maxBytes,
        keep: options.keep,
        run: yield* FiberSet.makeRuntime<never, void, never>(),
        makeFifos: Fifo.makeMaker(),
        lost: options.onLost ?? (() => Effect.void),
        written: (instance) => {
          for (const tell of followers) tell(instance)
        },
        buffer: Buffer.allocUnsafeSlow(64 * 1024),
        pendingBytes: 0
      }

      const directoryOf = (instance: InstanceName): string => Path.join(root, folderName(instance))
      const sourceOf = (instance: InstanceName): Reader.Source => ({
        directory: directoryOf(instance),
        written: () => pumps.get(instance)?.written ?? null
      })

      const open = Effect.fn("Logs.open")(function*(instance: InstanceName) {
        const pump = yield* acquire(
          Pump.make(instance, directoryOf(instance), shared),
          (pump) => {
            if (pumps.get(instance) === pump) pumps.delete(instance)
            return pump.close()
          }
        )
        pumps.set(instance, pump)
        const log: InstanceLog = {
          begin: (incarnation) =>
            Effect.suspend(() => {
              pump.begin(incarnation)
              return pump.descriptors()
            }),
          resume: (incarnation, unfinished) =>
            Effect.sync(() => {
              pump.begin(incarnation, unfinished)
            }),
          end: Effect.sync(() => pump.end()),
          leave: Effect.suspend(() => pump.leave())
        }
        return log
      }, Effect.uninterruptible)

      const all = Effect.sync(() =>
        (unless(["ENOENT"], () => Fs.readdirSync(root)) ?? []).map(nameOf).filter(isInstanceName)
      )

      /** The logs as they are now, with all in them that was said until now. */
      const extentsOf = Effect.fnUntraced(function*(instances: ReadonlyArray<InstanceName>) {
        const settled = Effect.forEach(instances, (instance) => pumps.get(instance)?.settled() ?? Effect.void, {
          concurrency: "unbounded",
          discard: true
        })
        yield* bounded(settled, "2 seconds")
        return yield* Effect.forEach(instances, (instance) => {
          const source = sourceOf(instance)
          const partial = pumps.get(instance)?.partial ?? []
          return Effect.mapBoth(Reader.end(source), {
            onSuccess: (until): Query.Extent => ({ instance, source, until, partial }),
            onFailure: Query.explain(instance, source.directory)
          })
        }, { concurrency: 16 })
      })

      const read = (query: LogQuery): Stream.Stream<LogLine, LogsFailed> =>
        Stream.unwrapScoped(Effect.gen(function*() {
          const wanted = new Set(query.instances)
          const filter: Query.Filter = {
            tail: query.tail === null ? null : Math.max(0, query.tail),
            since: timestamp(query.sinceMs),
            grep: query.grep
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
          const extents = yield* extentsOf(wanted.size === 0 ? yield* all : [...wanted])
          if (!query.follow) return Query.history(extents, filter)
          // A line that has not ended is told when it has.
          const past = Query.history(extents.map((extent) => ({ ...extent, partial: [] })), filter)
          return Stream.concat(past, Query.follow({ news, ends: extents, sourceOf, filter }))
        }))

      return {
        open,
        read,
        last: Effect.fn("Logs.last")((instance, count) =>
          Effect.map(
            Stream.runCollect(read({ instances: [instance], tail: count, sinceMs: null, grep: null, follow: false })),
            Chunk.toReadonlyArray
          )
        ),
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
