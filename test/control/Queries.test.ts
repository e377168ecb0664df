import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import { sinceMillis } from "../../src/control/Queries.ts"

const now = Date.parse("2026-01-02T03:04:05Z")

describe("since", () => {
  it("is a time, or a duration before now", () => {
    const cases: ReadonlyArray<readonly [string, string | null]> = [
      ["5m", "2026-01-02T02:59:05.000Z"],
      ["1h30m", "2026-01-02T01:34:05.000Z"],
      ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"],
      ["2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00.000Z"],
      ["yesterday", null],
      ["2026-13-01", null],
      ["", null],
      ["5", null],
      ["-5m", null]
    ]
    for (const [text, expected] of cases) {
      const told = Option.getOrNull(Option.map(sinceMillis(text, now), (ms) => new Date(ms).toISOString()))
      assert.strictEqual(told, expected, text)
    }
  })
})
