import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import { matches } from "../../src/internal/pattern.ts"

const patterns = FC.constantFrom(/a/, /^a*b$/g, /b/y, /(a|b)+c/i, /(?!)/)

/** Takes a while for each text, and more than a slice for all of them. */
class Slow extends RegExp {
  override test(text: string): boolean {
    const end = performance.now() + 15
    while (performance.now() < end);
    return super.test(text)
  }
}

describe("matches", () => {
  it.live.prop(
    "is what the pattern says of each text",
    [patterns, FC.array(FC.stringMatching(/^[abc]{0,6}$/))],
    ([pattern, texts]) =>
      Effect.gen(function*() {
        const expected = texts.map((text) => new RegExp(pattern.source, pattern.flags).test(text))
        assert.deepStrictEqual(yield* matches(pattern, texts), expected)
      })
  )

  it.live("gives up on a pattern that takes for ever, in good time, and can be used again", () =>
    Effect.gen(function*() {
      const evil = yield* Effect.either(matches(/^(a|aa)+$/, ["aa", `${"a".repeat(500)}!`]))
      assert.isTrue(Either.isLeft(evil))
      assert.deepStrictEqual(yield* matches(/a/, ["a", "b"]), [true, false])
    }))

  it.live("takes its time for a pattern that is only slow", () =>
    Effect.gen(function*() {
      const texts = Array.from({ length: 6 }, (_, i) => String(i))
      assert.deepStrictEqual(yield* matches(new Slow("[0-2]"), texts), [true, true, true, false, false, false])
    }))
})
