import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { literalOf } from "../../src/internal/literal.ts"

const text = FC.string({ unit: FC.constantFrom("a", "b", "c", "{", "1", ".", "é", "😀"), maxLength: 8 })

const atom = FC.oneof(
  { weight: 4, arbitrary: FC.constantFrom("a", "b", "c", "é", "😀", "{", "1") },
  { weight: 1, arbitrary: FC.constantFrom(".", "\\.", "\\{", "\\d", "[ab]", "[^a]", "[)\\]]", "^", "$", "\\b") },
  { weight: 1, arbitrary: FC.constantFrom("(a)", "(?:b|c)", "(?=a)", "(?!b)", "(a(b)[(])?", "\\x61", "|") }
)
const pattern = FC.array(FC.tuple(atom, FC.constantFrom("", "", "", "*", "?", "+", "{2}", "{0,1}", "+?")), {
  maxLength: 6
}).map((atoms) => atoms.map(([atom, quantifier]) => `${atom}${quantifier}`).join("")).filter((source) => {
  try {
    return new RegExp(source) instanceof RegExp
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
})

describe("literalOf", () => {
  it("is in whatever the pattern matches", () => {
    FC.assert(
      FC.property(pattern, FC.array(text, { maxLength: 20 }), (source, texts) => {
        const literal = literalOf(new RegExp(source))
        if (literal === null) return
        for (const text of texts) if (new RegExp(source).test(text)) assert.include(text, literal)
      }),
      { numRuns: 3000 }
    )
  })

  it("is found where it is easily seen", () => {
    const found = (pattern: RegExp) => literalOf(pattern)
    assert.strictEqual(found(/timeout/), "timeout")
    assert.strictEqual(found(/"level":"error"/), "\"level\":\"error\"")
    assert.strictEqual(found(/\{"id":\d+, "name"/), ", \"name\"")
    assert.strictEqual(found(/^GET \/api\/v[12]\/orders/), "GET /api/v")
    assert.strictEqual(found(/id=(\d+).*failed?/), "faile")
    assert.strictEqual(found(/colou?r/), "colo")
    assert.isNull(found(/error|warning/))
    assert.isNull(found(/error/i))
    assert.isNull(found(/\d+/))
  })
})
