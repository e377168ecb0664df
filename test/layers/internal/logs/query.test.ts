import { assert, describe, it, vi } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { InstanceName } from "../../../../src/domain/Names.ts"
import type { LogLine } from "../../../../src/domain/Views.ts"
import { Appender } from "../../../../src/layers/internal/logs/appender.ts"
import type { Filter } from "../../../../src/layers/internal/logs/filter.ts"
import * as Query from "../../../../src/layers/internal/logs/query.ts"
import type * as Reader from "../../../../src/layers/internal/logs/reader.ts"
import * as Record from "../../../../src/layers/internal/logs/record.ts"
import { folder } from "../../Harness.ts"

// Thousands of small files on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const isoOf = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()

/** One printed line: seconds since the one before, its text. */
const lines = FC.array(
  FC.record({
    wait: FC.nat(3),
    stream: FC.constantFrom<Record.StreamName>("stdout", "stderr"),
    text: FC.oneof(
      FC.stringMatching(/^[a-e ]{0,30}$/),
      FC.integer({ min: 1, max: Record.maxText }).map((n) => "long".repeat(n / 4))
    )
  }),
  { maxLength: 60 }
)

const everything: Filter = { tail: null, since: "", grep: null, incarnation: null }

const filters = FC.record({
  tail: FC.option(FC.nat(70)),
  since: FC.option(FC.nat(100).map(isoOf), { nil: "" }),
  grep: FC.option(FC.constantFrom(/a/, /^b/, /e$/, /long/, /z/g, /[ab]c/, /ab|ba/, /a+b/)),
  incarnation: FC.constant(null)
})

class Written implements Query.Extent {
  readonly instance: InstanceName
  readonly source: Reader.Source
  readonly partial = []
  readonly after = null
  readonly appender: Appender
  readonly all: Array<LogLine> = []
  readonly lost = { disk: 0, rotated: 0 }
  private second = 0
  private seq = 0

  constructor(instance: string, directory: string, options: { readonly maxBytes: number; readonly keep: number }) {
    this.instance = InstanceName.make(instance)
    Fs.mkdirSync(directory, { recursive: true })
    this.appender = new Appender(directory, options, {
      remark: (lost, problem, seq) => Record.encode(this.stamp("stderr"), "L", seq, Record.remark(lost, problem)),
      lost: (reason, lines) => Effect.sync(() => void (this.lost[reason] += lines))
    })
    this.source = { directory, written: () => this.until }
  }

  get until(): Reader.Position {
    const { segment, size } = this.appender
    return { segment, offset: size }
  }

  private stamp(stream: Record.StreamName): Record.Stamp {
    return { at: isoOf(this.second), stream, incarnation: 1 }
  }

  print(batch: ReadonlyArray<{ readonly wait: number; readonly stream: Record.StreamName; readonly text: string }>) {
    const records = batch.map(({ stream, text, wait }) => {
      this.second += wait
      const record = { ...this.stamp(stream), mark: "F" as const, seq: ++this.seq, text: Buffer.from(text) }
      this.all.push(Record.toLine(this.instance, record))
      return Record.encode(record, "F", record.seq, text)
    })
    return records.length === 0 ? Effect.void : this.appender.append(Buffer.concat(records))
  }
}

const expected = (all: ReadonlyArray<LogLine>, { grep, since, tail }: Filter): ReadonlyArray<LogLine> => {
  const wanted = all.filter(({ at, text }) => at >= since && (grep === null || text.search(grep) >= 0))
  return tail === null ? wanted : tail === 0 ? [] : wanted.slice(-tail)
}

const collect = (extents: ReadonlyArray<Query.Extent>, filter: Filter) =>
  Effect.map(Stream.runCollect(Query.history(extents, filter)), Chunk.toReadonlyArray)

const printAll = (log: Written, batches: ReadonlyArray<Parameters<Written["print"]>[0]>) =>
  Effect.ensuring(
    Effect.forEach(batches, (batch) => log.print(batch), { discard: true }),
    log.appender.release()
  )

const sizes = (directory: string): Array<number> =>
  Fs.readdirSync(directory).map((name) => Fs.statSync(Path.join(directory, name)).size)

describe("history", () => {
  it.scopedLive.prop(
    "is what a filter over all lines would give",
    [FC.array(lines, { maxLength: 4 }), FC.array(filters, { minLength: 1, maxLength: 4 }), FC.nat(100_000)],
    ([batches, queries, maxBytes]) =>
      Effect.gen(function*() {
        const log = new Written("api:a", yield* folder, { maxBytes: maxBytes + 100, keep: 1_000_000 })
        yield* printAll(log, batches)
        for (const filter of queries) assert.deepStrictEqual(yield* collect([log], filter), expected(log.all, filter))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.scopedLive.prop(
    "has the newest lines when rotation took the others, and no more bytes than it may",
    [FC.array(lines, { maxLength: 8 }), FC.integer({ min: 100, max: 40_000 }), FC.nat(3)],
    ([batches, maxBytes, keep]) =>
      Effect.gen(function*() {
        const log = new Written("api:a", yield* folder, { maxBytes, keep })
        yield* printAll(log, batches)
        const [first, ...others] = yield* collect([log], everything)
        const lost = first?.lost ?? 0
        const kept = first === undefined || first.lost !== undefined ? others : [first, ...others]
        assert.deepStrictEqual(kept, log.all.slice(lost))
        assert.deepStrictEqual(log.lost, { disk: 0, rotated: lost })
        const found = sizes(log.source.directory)
        assert.isAtMost(found.length, keep + 1)
        for (const size of found) assert.isAtMost(size, Math.max(maxBytes, Record.maxRecord))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.scopedLive.prop(
    "goes on behind any line, and says how many are missing",
    [lines, FC.integer({ min: 100, max: 40_000 }), FC.nat(3), FC.nat(80), FC.option(FC.constantFrom(/a/, /[ab]c/))],
    ([batch, maxBytes, keep, after, grep]) =>
      Effect.gen(function*() {
        const log = new Written("api:a", yield* folder, { maxBytes, keep })
        yield* printAll(log, [batch])
        const told = yield* collect([{ ...log, until: log.until, after }], { ...everything, grep, since: "9" })
        // A log that is shorter is another one.
        const wanted = log.all.filter(({ seq }) => after > log.all.length || seq > after)
        const lost = told[0]?.lost ?? 0
        const kept = wanted.slice(lost).filter(({ text }) => grep === null || grep.test(text))
        assert.deepStrictEqual(lost === 0 ? told : told.slice(1), kept)
        if (lost > 0) assert.strictEqual(told[0]?.seq, (wanted[0]?.seq ?? 0) + lost - 1)
      }),
    { fastCheck: { numRuns: 60 } }
  )

  it.scopedLive.prop(
    "merges several logs by time, each in its own order",
    [FC.array(lines, { minLength: 1, maxLength: 5 }), filters, FC.integer({ min: 100, max: 40_000 })],
    ([each, filter, maxBytes]) =>
      Effect.gen(function*() {
        const root = yield* folder
        const logs = each.map((_, i) => new Written(`api:${i}`, Path.join(root, `${i}`), { maxBytes, keep: 1_000_000 }))
        yield* Effect.forEach(logs, (log, i) => printAll(log, [each[i] ?? []]), { discard: true })
        const found = yield* collect(logs, filter)
        const model = expected(logs.flatMap(({ all }) => all).sort((a, b) => a.at < b.at ? -1 : +(a.at > b.at)), filter)
        assert.deepStrictEqual(found.map(({ at }) => at), model.map(({ at }) => at))
        for (const { all, instance } of logs) {
          const own = found.filter((line) => line.instance === instance)
          const wanted = expected(all, { ...filter, tail: null })
          assert.deepStrictEqual(own, wanted.slice(wanted.length - own.length))
        }
      }),
    { fastCheck: { numRuns: 40 } }
  )
})

describe("follow", () => {
  it.scopedLive.prop(
    "goes on where history ended, without loss or repetition, over any rotation that it keeps up with",
    [lines, FC.array(lines, { maxLength: 6 }), FC.integer({ min: 100, max: 40_000 })],
    ([before, after, maxBytes]) =>
      Effect.gen(function*() {
        const log = new Written("api:a", yield* folder, { maxBytes, keep: 1_000_000 })
        yield* log.print(before)
        const ends = yield* Query.ends([{
          instance: log.instance,
          source: log.source,
          until: log.until,
          after: null,
          partial: []
        }])
        const news = new Query.News()
        const wanted = after.flat().length
        const following = yield* Effect.fork(Stream.runCollect(
          Stream.take(Query.follow({ news, ends, sourceOf: () => log.source, filter: everything }), wanted)
        ))
        for (const batch of after) {
          yield* log.print(batch)
          news.tell(log.instance)
        }
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(following))
        yield* log.appender.release()
        assert.deepStrictEqual(seen, log.all.slice(before.length))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.scopedLive("says what rotation took away before it came", () =>
    Effect.gen(function*() {
      const log = new Written("api:a", yield* folder, { maxBytes: 200, keep: 1 })
      const print = (from: number, to: number) =>
        Effect.forEach(
          Array.from({ length: to - from }, (_, i) => String(from + i)),
          (text) => log.print([{ wait: 1, stream: "stdout", text }]),
          { discard: true }
        )
      yield* print(0, 1)
      const ends = yield* Query.ends([{
        instance: log.instance,
        source: log.source,
        until: log.until,
        after: null,
        partial: []
      }])
      yield* print(1, 100)
      const news = new Query.News()
      news.tell(log.instance)
      const seen = yield* Stream.runCollect(Stream.takeUntil(
        Query.follow({ news, ends, sourceOf: () => log.source, filter: everything }),
        ({ text }) => text === "99"
      ))
      yield* log.appender.release()
      const [gap, ...rest] = Chunk.toReadonlyArray(seen).map(({ text }) => text)
      // All between the line that was seen and the first that is there.
      assert.strictEqual(gap, `[tenement: ${99 - rest.length} lines were rotated away before they were read]`)
      assert.deepStrictEqual(rest, log.all.slice(-rest.length).map(({ text }) => text))
    }))
})

describe("Appender", () => {
  it.scopedLive("counts what a full disk takes, says so when it can, and goes on", () =>
    Effect.gen(function*() {
      const log = new Written("api:a", yield* folder, { maxBytes: 10_000, keep: 1 })
      const file = Path.join(log.source.directory, "00000001.log")
      const print = (text: string) => log.print([{ wait: 1, stream: "stdout", text }])
      Fs.symlinkSync("/dev/full", file)
      yield* print("a")
      yield* log.print([{ wait: 1, stream: "stdout", text: "b" }, { wait: 1, stream: "stderr", text: "c" }])
      Fs.unlinkSync(file)
      yield* print("d")
      yield* print("e")
      yield* log.appender.release()
      const found = yield* collect([log], everything)
      assert.deepStrictEqual(found.map(({ text }) => text), ["[tenement: 3 lines ENOSPC]", "d", "e"])
      assert.deepStrictEqual(found.map(({ seq }) => seq), [3, 4, 5])
      assert.deepStrictEqual(log.lost, { disk: 3, rotated: 0 })
    }))

  it.scopedLive("goes on behind a torn record", () =>
    Effect.gen(function*() {
      const log = new Written("api:a", yield* folder, { maxBytes: 10_000, keep: 1 })
      const torn = Record.encode({ at: isoOf(0), stream: "stdout", incarnation: 1 }, "F", 1, "text").subarray(0, 30)
      Fs.writeFileSync(Path.join(log.source.directory, "00000007.log"), torn)
      yield* log.print([{ wait: 0, stream: "stdout", text: "whole" }])
      yield* log.appender.release()
      const found = yield* collect([log], { ...everything, tail: 10 })
      assert.deepStrictEqual(found, log.all)
    }))
})
