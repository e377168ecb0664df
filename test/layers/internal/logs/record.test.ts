import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Record from "../../../../src/layers/internal/logs/record.ts"

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

const split = (chunks: ReadonlyArray<Buffer>) => {
  const splitter = new Record.Splitter()
  const written: Array<Buffer> = []
  for (const chunk of chunks) {
    // The pump uses one buffer for all it reads.
    const shared = Buffer.from(chunk)
    written.push(splitter.push(shared, stamp))
    shared.fill(0)
  }
  const rest = splitter.end(stamp)
  if (rest !== null) written.push(rest)
  return records(Buffer.concat(written))
}

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
    const marks = FC.constantFrom<Record.Mark>("F", "P", "E", "L")
    const streams = FC.constantFrom<Record.StreamName>("stdout", "stderr")
    FC.assert(FC.property(bytes, marks, streams, FC.nat(), (raw, mark, stream, incarnation) => {
      const text = Buffer.from(raw.filter((byte) => byte !== Record.newline))
      const written = Record.encode({ at, stream, incarnation }, mark, text)
      assert.deepStrictEqual(Record.decode(written.subarray(0, -1)), { at, stream, incarnation, mark, text })
    }))
  })

  it("refuses what a torn write left", () => {
    FC.assert(FC.property(FC.uint8Array({ maxLength: 80 }), (raw) => {
      assert.isUndefined(Record.decode(Buffer.from(raw)))
    }))
    const whole = Record.encode(stamp, "F", "text")
    for (let length = 0; length < at.length + " stdout 7 F ".length; length++) {
      assert.isUndefined(Record.decode(whole.subarray(0, length)))
    }
  })
})
