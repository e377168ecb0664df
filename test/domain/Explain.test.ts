import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { describeCause } from "../../src/domain/Explain.ts"

describe("a cause in words", () => {
  it("of a reload names the settings that differ, where there are some", () => {
    FC.assert(FC.property(FC.array(FC.stringMatching(/^[a-z_]+$/)), (keys) => {
      const words = describeCause({ _tag: "Reload", keys })
      assert.strictEqual(words, keys.length === 0 ? "the file changed" : `the file changed (${keys.join(", ")})`)
    }))
  })
})
