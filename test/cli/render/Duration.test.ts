import { assert, describe, it } from "@effect/vitest"
import * as Duration from "../../../src/cli/render/Duration.ts"

describe("Duration.brief", () => {
  it.each([
    [-1, "0s"],
    [0.9, "0s"],
    [59.9, "59s"],
    [60, "1m"],
    [192, "3m12s"],
    [3600, "1h"],
    [7205, "2h"],
    [7500, "2h5m"],
    [273_600, "3d4h"],
    [100_000_000, "1157d9h"]
  ])("%d s is %s", (seconds, text) => {
    assert.strictEqual(Duration.brief(seconds), text)
  })
})

describe("Duration.clock", () => {
  const noon = new Date(2026, 1, 3, 12, 0, 5).getTime()
  it("leaves out a date that is today's", () => {
    assert.strictEqual(Duration.clock(new Date(noon).toISOString(), noon + 1000), "12:00:05")
    assert.strictEqual(Duration.clock(new Date(noon).toISOString(), noon + 86_400_000), "2026-02-03 12:00:05")
  })
  it("shows what is no time as it is", () => {
    assert.strictEqual(Duration.clock("soon", noon), "soon")
  })
})
