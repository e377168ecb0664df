import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Progress from "../../../../src/layers/internal/logs/progress.ts"
import * as Record from "../../../../src/layers/internal/logs/record.ts"
import * as Records from "../../../../src/layers/internal/logs/records.ts"
import * as Recovery from "../../../../src/layers/internal/logs/recovery.ts"
import { Splitter } from "../../../../src/layers/internal/logs/splitter.ts"
import { Tape } from "../../../../src/layers/internal/logs/tape.ts"

const at = "2026-01-02T03:04:05.678Z"
const stamp: Record.Stamp = { at, stream: "stdout", incarnation: 7 }

/** Bytes with many newlines and UTF-8 in them, some long stretches of neither. */
const bytes = FC.array(
  FC.oneof(
    { weight: 4, arbitrary: FC.uint8Array({ maxLength: 40 }) },
    { weight: 2, arbitrary: FC.constantFrom("\n", "\n\n", "\r\n", "é", "漢字", "😀", "\0").map((s) => Buffer.from(s)) },
    { weight: 1, arbitrary: FC.integer({ min: 1, max: 3 * Record.maxText }).map((n) => Buffer.alloc(n, "x")) },
    { weight: 1, arbitrary: FC.integer({ min: 1, max: Record.maxText }).map((n) => Buffer.from("é".repeat(n))) }
  ),
  { maxLength: 20 }
).map((parts) => Buffer.concat(parts))

const chunked = FC.tuple(bytes, FC.array(FC.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })).map(
  ([all, cuts]) => {
    const ends = [...cuts.map((cut) => Math.floor(cut * all.length)).sort((a, b) => a - b), all.length]
    return { all, chunks: ends.map((end, i) => all.subarray(ends[i - 1] ?? 0, end)) }
  }
)

const records = (written: Buffer): Array<Record.LogRecord> => {
  const found: Array<Record.LogRecord> = []
  let start = 0
  while (start < written.length) {
    const end = written.indexOf(Record.newline, start)
    const record = Record.decode(written.subarray(start, end))
    assert.isDefined(record)
    found.push(record)
    start = end + 1
  }
  return found
}

const split = (chunks: ReadonlyArray<Buffer>, from = 1) => {
  const splitter = new Splitter()
  const written: Array<Buffer> = []
  let seq = from
  for (const chunk of chunks) {
    // The pump uses one buffer for all it reads.
    const shared = Buffer.from(chunk)
    const cut = splitter.push(shared, stamp, seq)
    written.push(cut.records)
    seq += cut.lines
    shared.fill(0)
  }
  const rest = splitter.end(stamp, seq)
  if (rest !== null) written.push(rest)
  return records(Buffer.concat(written))
}

/** Those that a reader is told. */
const toldIn = (written: Buffer) => records(written).filter(Record.isTold)

const restore = (found: ReadonlyArray<Record.LogRecord>): Buffer =>
  Buffer.concat(found.flatMap(({ mark, text }) => mark === "F" ? [text, Buffer.from("\n")] : [text]))

describe("Splitter", () => {
  it("keeps every byte, in order, however it comes", () => {
    FC.assert(FC.property(chunked, ({ all, chunks }) => {
      const found = split(chunks)
      assert.isTrue(restore(found).equals(all))
      for (const record of found) {
        assert.isAtMost(record.text.length, Record.maxText)
        assert.deepInclude(record, stamp)
      }
    }))
  })

  it("gives the same records however the bytes come", () => {
    FC.assert(FC.property(chunked, ({ all, chunks }) => {
      assert.deepStrictEqual(split(chunks), split([all]))
    }))
  })

  it("cuts no character of valid UTF-8", () => {
    FC.assert(
      FC.property(FC.fullUnicodeString({ minLength: 1, maxLength: 8 }), FC.nat(4), (text, shift) => {
        const line = "x".repeat(shift) + text.replaceAll("\n", "").repeat(9000)
        const found = split([Buffer.from(line)])
        assert.strictEqual(found.map((record) => record.text.toString("utf8")).join(""), line)
      }),
      { numRuns: 30 }
    )
  })

  it("numbers them without a gap", () => {
    FC.assert(FC.property(chunked, FC.constantFrom(1, 7, 95, 998, 999_998), ({ chunks }, from) => {
      const found = split(chunks, from)
      assert.deepStrictEqual(found.map(({ seq }) => seq), found.map((_, index) => from + index))
    }))
  })

  it("tells another supervisor of a line that has not ended, wherever this one was killed", () => {
    FC.assert(FC.property(chunked, FC.array(FC.nat(40_000)), ({ chunks }, others) => {
      const splitter = new Splitter()
      const written: Array<Buffer> = []
      let seq = 1
      for (const [index, chunk] of chunks.entries()) {
        const { lines, records } = splitter.push(chunk, stamp, seq)
        seq += lines
        splitter.wrote(records.length + (others[index] ?? 0))
        written.push(records, splitter.save(stamp, seq) ?? Buffer.alloc(0))
        const past = Recovery.parse(Buffer.concat(written))
        assert.strictEqual(past.seq, seq - 1)
        assert.deepStrictEqual(past.open, splitter.partial === null ? [] : [["stdout", splitter.partial]])
      }
    }))
  })

  it("tells another supervisor how much had come to the log, wherever this one was killed", () => {
    FC.assert(FC.property(chunked, chunked, FC.nat(100), FC.nat(1000), (out, err, ended, killedAt) => {
      const tape = new Tape()
      tape.incarnation = 7
      let log = Buffer.alloc(0)
      const add = (records: Buffer) => log = Buffer.concat([log, records])
      for (const [index, chunk] of out.chunks.entries()) {
        // Of each stream, one chunk is under way at most. Their lines may be in the log or not, and the last one in part.
        const before = tape.progress
        const begin = log.length
        const other = err.chunks[index] ?? Buffer.alloc(0)
        for (const [stream, bytes] of [["stdout", chunk], ["stderr", other]] as const) {
          add(tape.withOpen(tape.push(stream, 1, Buffer.from(bytes))))
        }
        if (index === ended % out.chunks.length) add(tape.end(1))
        const cut = begin + Math.floor(((log.length - begin) * (killedAt % 9)) / 8)
        const found = log.subarray(0, log.lastIndexOf(10, cut - 1) + 1)
        const next = new Tape()
        next.goOn(Recovery.parse(found))
        const bytesOf = (stream: Record.StreamName) =>
          Progress.bytesSince(
            Progress.decode(Progress.encode(before)) ?? before,
            next.progress,
            Records.backwards(found, true),
            stream
          )
        next.incarnation = 7
        const rest = Buffer.concat([
          next.push("stdout", 2, Buffer.concat([chunk.subarray(bytesOf("stdout")), ...out.chunks.slice(index + 1)])),
          next.push("stderr", 2, Buffer.concat([other.subarray(bytesOf("stderr")), ...err.chunks.slice(index + 1)])),
          next.end(2)
        ])
        const whole = toldIn(Buffer.concat([found, rest]))
        const printed = (stream: Record.StreamName) => restore(whole.filter((record) => record.stream === stream))
        assert.isTrue(printed("stdout").equals(out.all))
        const said = err.chunks.slice(0, out.chunks.length)
        if (err.chunks.length <= out.chunks.length) assert.isTrue(printed("stderr").equals(Buffer.concat(said)))
        assert.deepStrictEqual(whole.map(({ seq }) => seq), whole.map((_, index) => index + 1))
      }
    }))
  })

  it("tells lines that ended from those that go on and those that did not end", () => {
    const marks = (text: string) => split([Buffer.from(text)]).map(({ mark }) => mark).join("")
    const long = "x".repeat(Record.maxText)
    assert.strictEqual(marks(""), "")
    assert.strictEqual(marks("a\n\nb"), "FFE")
    assert.strictEqual(marks(`${long}\n`), "F")
    assert.strictEqual(marks(`${long}y\n`), "PF")
    assert.strictEqual(marks(`${long}${long}${long}`), "PPE")
  })
})

describe("decode", () => {
  it("is undone by nothing but encode", () => {
    const marks = FC.constantFrom<Record.Mark>("F", "P", "E", "L", "B", "C")
    const streams = FC.constantFrom<Record.StreamName>("stdout", "stderr")
    FC.assert(FC.property(bytes, marks, streams, FC.nat(), FC.nat(), (raw, mark, stream, incarnation, seq) => {
      const text = Buffer.from(raw.filter((byte) => byte !== Record.newline))
      const written = Record.encode({ at, stream, incarnation }, mark, seq, text)
      assert.deepStrictEqual(Record.decode(written.subarray(0, -1)), { at, stream, incarnation, mark, seq, text })
    }))
  })

  it("refuses what a torn write left", () => {
    FC.assert(FC.property(FC.uint8Array({ maxLength: 80 }), (raw) => {
      assert.isUndefined(Record.decode(Buffer.from(raw)))
    }))
    const whole = Record.encode(stamp, "F", 12, "text")
    for (let length = 0; length < at.length + " stdout 7 F 12 ".length; length++) {
      assert.isUndefined(Record.decode(whole.subarray(0, length)))
    }
  })
})
