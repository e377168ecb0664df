import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Journal from "../../src/layers/internal/journal.ts"
import * as Migrations from "../../src/layers/internal/migrations.ts"
import * as Store from "../../src/layers/Store.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-store-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
)

const journalOf = (folder: string) => Path.join(folder, ".state", "journal")

/** What a supervisor that starts now would find. */
const found = (folder: string, migrations?: ReadonlyArray<Migrations.Migration>) =>
  Effect.scoped(
    Effect.flatMap(Store.open(folder, migrations), ({ take }) => take(""))
  )

const format = Migrations.formatAfter(Migrations.migrations)

describe("Store", () => {
  it.scopedLive("what was flushed is there although the supervisor is killed", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const { flushed, put, remove } = yield* Store.open(dir)
      yield* put("a", { n: 1 })
      yield* put("b", [2])
      yield* remove("a")
      yield* put("c", "ü")
      yield* flushed
      // As `kill -9` leaves it: nothing is closed, nothing is written any more.
      const copy = yield* folder
      Fs.cpSync(Path.join(dir, ".state"), Path.join(copy, ".state"), { recursive: true })
      assert.deepStrictEqual(yield* found(copy), new Map<string, unknown>([["b", [2]], ["c", "ü"]]))
    }))

  it.scopedLive("only the supervisor's user can read it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* Store.open(dir)
      assert.strictEqual(Fs.statSync(journalOf(dir)).mode & 0o777, 0o600)
      assert.strictEqual(Fs.statSync(Path.dirname(journalOf(dir))).mode & 0o777, 0o700)
    }))

  it.scopedLive("a journal that a newer tenement wrote is refused, and stays as it is", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* found(dir)
      const line = Journal.header(format + 1)
      Fs.writeFileSync(journalOf(dir), line)
      const refused = yield* Effect.either(found(dir))
      assert.isTrue(Either.isLeft(refused) && refused.left._tag === "StoreTooNew")
      assert.strictEqual(Fs.readFileSync(journalOf(dir), "utf8"), line)
    }))

  it.scopedLive("a journal that an older tenement wrote is led to today's format, and the old one is kept aside", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const text = `${Journal.header(1)}${Journal.entry("thing a", "1")}${Journal.entry("other", "2")}`
      Fs.mkdirSync(Path.join(dir, ".state"))
      Fs.writeFileSync(journalOf(dir), text)
      const counted: Migrations.Migration = (entries) =>
        new Map([...entries].map(([key, value]) => key.startsWith("thing ") ? [key, { count: value }] : [key, value]))
      const renamed: Migrations.Migration = (entries) =>
        new Map([...entries].map(([key, value]) => [key.replace(/^thing /, "item "), value]))
      const migrated = new Map<string, unknown>([["item a", { count: 1 }], ["other", 2]])
      assert.deepStrictEqual(yield* found(dir, [counted, renamed]), migrated)
      assert.strictEqual(Fs.readFileSync(`${journalOf(dir)}.format-1`, "utf8"), text)
      assert.deepStrictEqual(yield* found(dir, [counted, renamed]), migrated, "once")
      const later: Migrations.Migration = (entries) => new Map([...entries].filter(([key]) => key !== "other"))
      assert.deepStrictEqual([...(yield* found(dir, [counted, renamed, later])).keys()], ["item a"])
      const refused = yield* Effect.either(found(dir, [counted]))
      assert.isTrue(Either.isLeft(refused) && refused.left._tag === "StoreTooNew")
    }))

  it.scopedLive("a damaged journal is kept aside, and what can be trusted of it is used", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const text = `${Journal.header(format)}${Journal.entry("a", "1")}${Journal.entry("b", "2").replace("2", "3")}`
      Fs.mkdirSync(Path.join(dir, ".state"))
      Fs.writeFileSync(journalOf(dir), text)
      assert.deepStrictEqual(yield* found(dir), new Map([["a", 1]]))
      assert.strictEqual(Fs.readFileSync(`${journalOf(dir)}.damaged-1`, "utf8"), text)
    }))

  it.scopedLive("it is written anew before it grows without end", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const { flushed, put } = yield* Store.open(dir)
      for (let n = 0; n < 400; n++) {
        yield* put("a", "x".repeat(2000) + n)
        yield* flushed
      }
      assert.isBelow(Fs.statSync(journalOf(dir)).size, 300_000)
      assert.strictEqual(Fs.readdirSync(Path.dirname(journalOf(dir))).length, 1)
    }))

  const cannotMount = process.getuid?.() === 0 ? undefined : "a file system of its own takes root to mount"
  it.scopedLive.skipIf(cannotMount !== undefined)(
    `on a full disk nothing is said to be kept that is not, and all goes on when there is room${
      cannotMount === undefined ? "" : ` (skipped: ${cannotMount})`
    }`,
    () =>
      Effect.gen(function*() {
        const dir = yield* folder
        yield* Effect.acquireRelease(
          Effect.sync(() => execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir])),
          () => Effect.sync(() => execFileSync("umount", [dir]))
        )
        yield* Effect.scoped(Effect.gen(function*() {
          const { flushed, put } = yield* Store.open(dir)
          yield* put("a", 1)
          yield* flushed
          const ballast = Path.join(dir, "ballast")
          const fill = Effect.sync(() => {
            const fd = Fs.openSync(ballast, "w")
            try {
              for (;;) Fs.writeSync(fd, Buffer.alloc(4096))
            } catch (error) {
              assert.strictEqual((error as NodeJS.ErrnoException).code, "ENOSPC")
            }
            Fs.closeSync(fd)
          })
          yield* fill
          yield* put("b", "x".repeat(8000))
          const refused = yield* Effect.either(flushed)
          assert.isTrue(Either.isLeft(refused) && refused.left.code === "ENOSPC")
          assert.deepStrictEqual(yield* found(dir), new Map([["a", 1]]), "whoever starts on a full disk comes up")
          Fs.unlinkSync(ballast)
          yield* flushed
        }))
        assert.deepStrictEqual([...(yield* found(dir)).keys()], ["a", "b"])
      })
  )
})
