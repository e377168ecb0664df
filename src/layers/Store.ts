/**
 * What the supervisor has to know after its own death, and the machine's: a journal in `{data_dir}/.state`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Session } from "../domain/Saved.ts"
import { codeOf, unless } from "../internal/errno.ts"
import { StoreFailed, StoreTooNew } from "./Errors.ts"
import * as Journal from "./internal/journal.ts"
import { JournalFile } from "./internal/journalFile.ts"
import * as Migrations from "./internal/migrations.ts"
import * as Monotonic from "./internal/monotonic.ts"
import * as Procfs from "./internal/procfs.ts"

/**
 * Values by their keys. What was put outlives the supervisor at once; the machine's end it outlives once `flushed` has
 * waited for it, and a second later at the latest.
 *
 * @since 0.1.0
 * @category tags
 */
export class Store extends Context.Tag("tenement/layers/Store")<Store, {
  /** What was there, when the store was opened, of keys that begin like this. Can be taken once. */
  readonly take: (prefix: string) => Effect.Effect<ReadonlyMap<string, unknown>>
  /** What tells apart from which start of the machine, and by which clock, something is. */
  readonly session: Session
  /** Anything that JSON can say. */
  readonly put: (key: string, value: unknown) => Effect.Effect<void>
  readonly remove: (key: string) => Effect.Effect<void>
  /** Waits until all that was put and removed before is on the disk. What could not be written is tried again. */
  readonly flushed: Effect.Effect<void, StoreFailed>
  /** The same, and then it is somebody else's: nothing is written to it any more, whoever asks for it. */
  readonly seal: Effect.Effect<void, StoreFailed>
}>() {}

/**
 * A store that forgets, for a tree inside a program and for tests.
 *
 * @since 0.1.0
 * @category layers
 */
export const memory: Layer.Layer<Store> = Layer.succeed(Store, {
  take: () => Effect.succeed(new Map()),
  session: { boot: "", origin: 0 },
  put: () => Effect.void,
  remove: () => Effect.void,
  flushed: Effect.void,
  seal: Effect.void
})

/** Until what nobody waits for is on the disk, and between one attempt to write to a full one and the next. */
const delay = "1 second"

const takeFrom = (entries: Map<string, unknown>, prefix: string): ReadonlyMap<string, unknown> => {
  const taken = new Map([...entries].filter(([key]) => key.startsWith(prefix)))
  for (const key of taken.keys()) entries.delete(key)
  return taken
}

const failed = (path: string) => (error: unknown) => new StoreFailed({ path, code: codeOf(error) })

/**
 * The store of a `data_dir`, whose lock the caller holds. A journal with damaged lines is kept aside, and what can be
 * trusted of it is used. So is one of an earlier format, which `migrations` lead to today's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = Effect.fn("Store.open")(function*(
  dataDir: string,
  migrations: ReadonlyArray<Migrations.Migration> = Migrations.migrations
): Effect.fn.Return<Store["Type"], StoreFailed | StoreTooNew, Scope.Scope> {
  const folder = Path.join(dataDir, ".state")
  const path = Path.join(folder, "journal")
  const contents = yield* Effect.try({
    try: () => {
      unless(["EEXIST"], () => Fs.mkdirSync(folder, { mode: 0o700 }))
      return Journal.read(unless(["ENOENT"], () => Fs.readFileSync(path)) ?? new Uint8Array())
    },
    catch: failed(path)
  })
  const known = Migrations.formatAfter(migrations)
  const format = contents.format ?? known
  if (format > known) return yield* new StoreTooNew({ path, found: format, known })
  // Another name for it, which takes no room: the new file takes this one's place and not its bytes.
  const keep = (aside: string) =>
    Effect.try({
      try: () => {
        unless(["ENOENT"], () => Fs.unlinkSync(aside))
        Fs.linkSync(path, aside)
      },
      catch: failed(aside)
    })
  if (contents.damaged > 0) {
    const aside = `${path}.damaged-${contents.damaged}`
    yield* keep(aside)
    yield* Effect.logError(
      `${path} has ${contents.damaged} damaged lines, and what they said is lost; it is kept as ${aside}`
    )
  }
  if (format < known) {
    const aside = `${path}.format-${format}`
    yield* keep(aside)
    yield* Effect.logInfo(`${path} is of format ${format} and becomes one of format ${known}; it is kept as ${aside}`)
  }
  const found = new Map(Migrations.migrate(contents.entries, format, migrations))
  const live = new Map([...found].map(([key, value]) => [key, JSON.stringify(value)]))
  const file = new JournalFile(path, known, live)
  yield* Effect.try({
    try: () => {
      try {
        file.renew()
      } catch (error) {
        if (!["ENOSPC", "EDQUOT"].includes(codeOf(error))) throw error
        // A full disk keeps nobody from coming up: the old file says what it said, and whatever is to be kept from now
        // on is refused until there is room.
      }
    },
    catch: failed(path)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => file.close()))

  const one = yield* Effect.makeSemaphore(1)
  const wake = yield* Effect.makeLatch(false)

  let isSealed = false
  const synced = Effect.mapError(Effect.suspend(() => isSealed ? Effect.void : file.sync()), failed(path))
  const flushed = Effect.uninterruptible(one.withPermits(1)(synced))

  /** Nobody writes in between: the next change, and the next flush, find it sealed. */
  const seal = Effect.uninterruptible(
    one.withPermits(1)(
      synced.pipe(Effect.ensuring(Effect.sync(() => {
        isSealed = true
        file.close()
      })))
    )
  )

  const change = (key: string, value: string | null) =>
    Effect.suspend(() => {
      if (isSealed) return Effect.void
      if (value === null) live.delete(key)
      else live.set(key, value)
      file.append(key, value)
      return wake.open
    })

  let isFull = false
  yield* Effect.gen(function*() {
    yield* wake.await
    yield* Effect.sleep(delay)
    yield* wake.close
    yield* flushed
    if (isFull) yield* Effect.logInfo(`${path} can be written again`)
    isFull = false
  }).pipe(
    Effect.catchAll((error) => {
      const told = isFull ? Effect.void : Effect.logError(error.message)
      isFull = true
      return Effect.zipRight(told, wake.open)
    }),
    Effect.forever,
    Effect.forkScoped
  )
  // What was put last is written before the file is closed.
  yield* Effect.addFinalizer(() => Effect.catchAll(flushed, (error) => Effect.logError(error.message)))

  return {
    // Each supervisor's monotonic clock has an origin of its own; the kernel's has one for each boot.
    session: {
      boot: Procfs.bootId(),
      origin: (yield* Monotonic.milliseconds) - Number(process.hrtime.bigint()) / 1e6
    },
    take: (prefix) => Effect.sync(() => takeFrom(found, prefix)),
    put: (key, value) => change(key, JSON.stringify(value)),
    remove: (key) => change(key, null),
    flushed,
    seal
  }
})

/**
 * What the store of a `data_dir` says at this moment, whoever writes it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const peek = Effect.fn("Store.peek")(function*(dataDir: string) {
  const path = Path.join(dataDir, ".state", "journal")
  const { entries, format } = yield* Effect.try({
    try: () => Journal.read(unless(["ENOENT"], () => Fs.readFileSync(path)) ?? new Uint8Array()),
    catch: failed(path)
  })
  const known = Migrations.formatAfter(Migrations.migrations)
  if (format !== null && format > known) return yield* new StoreTooNew({ path, found: format, known })
  return Migrations.migrate(entries, format ?? known, Migrations.migrations)
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (dataDir: string): Layer.Layer<Store, StoreFailed | StoreTooNew> =>
  Layer.scoped(Store, open(dataDir))
