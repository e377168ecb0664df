import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Journal from "../../../src/layers/internal/journal.ts"

const key = FC.constantFrom("api:default", "api:test", "web:ü", "settings")
const value = FC.option(FC.jsonValue().map((value) => JSON.stringify(value)), { nil: null })
const history = FC.array(FC.tuple(key, value), { maxLength: 12 })

/** What a history of changes comes to. */
const outcome = (changes: ReadonlyArray<readonly [string, string | null]>) => {
  const entries = new Map<string, unknown>()
  for (const [key, value] of changes) {
    if (value === null) entries.delete(key)
    else entries.set(key, JSON.parse(value))
  }
  return entries
}

const text = (changes: ReadonlyArray<readonly [string, string | null]>) =>
  Buffer.from(Journal.header(3) + changes.map(([key, value]) => Journal.entry(key, value)).join(""))

describe("a journal", () => {
  it("says what was last said of each key", () =>
    FC.assert(FC.property(history, (changes) => {
      const { damaged, entries, format } = Journal.read(text(changes))
      // A map's entries would be put in order by what `toString` makes of them, which may be anything here.
      assert.deepStrictEqual([...entries], [...outcome(changes)])
      assert.strictEqual(damaged, 0)
      assert.strictEqual(format, 3)
    })))

  it("cut off anywhere, says a beginning of what was said, and nothing of it is damaged", () =>
    FC.assert(FC.property(history, FC.nat(), (changes, at) => {
      const whole = text(changes)
      const { damaged, entries } = Journal.read(whole.subarray(0, at % (whole.length + 1)))
      assert.strictEqual(damaged, 0)
      assert.isTrue(
        changes.some((_, n) => JSON.stringify([...outcome(changes.slice(0, n))]) === JSON.stringify([...entries])) ||
          JSON.stringify([...outcome(changes)]) === JSON.stringify([...entries])
      )
    })))

  it("with a flipped bit, never says what was not said", () =>
    FC.assert(FC.property(history, FC.nat(), FC.integer({ min: 0, max: 7 }), (changes, at, bit) => {
      const bytes = text(changes)
      const place = at % bytes.length
      bytes[place] = bytes[place]! ^ (1 << bit)
      const { entries } = Journal.read(bytes)
      for (const [key, value] of entries) {
        assert.isTrue(
          changes.some(([one, said]) =>
            one === key && said !== null && JSON.stringify(JSON.parse(said)) === JSON.stringify(value)
          )
        )
      }
    })))

  it("counts the lines that are damaged, and believes the others", () => {
    const bytes = Buffer.concat([
      text([["api:default", "1"]]),
      Buffer.from("rubbish\n"),
      Buffer.from(Journal.entry("b", "2"))
    ])
    assert.deepStrictEqual(Journal.read(bytes), {
      format: 3,
      entries: new Map<string, unknown>([["api:default", 1], ["b", 2]]),
      damaged: 1
    })
  })

  it("is whatever bytes there are, without a defect", () =>
    FC.assert(FC.property(FC.uint8Array({ maxLength: 400 }), (bytes) => {
      assert.strictEqual(Journal.read(bytes).entries.size, 0)
    })))
})
