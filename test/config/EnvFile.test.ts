import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { parse } from "../../src/config/EnvFile.ts"

const name = FastCheck.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/).filter((name) => name !== "__proto__")
const value = FastCheck.fullUnicodeString().map((text) => text.replaceAll("\0", "").replaceAll("\r\n", "\n"))

const written = (value: string) =>
  FastCheck.constantFrom(
    ...(value.includes("'") ? [] : [`'${value}'`]),
    `"${value.replace(/[\\"]/g, "\\$&")}"`,
    ...(/^[\w/:.-]*$/.test(value) ? [value, `${value}  # a comment`] : [])
  )

const files = FastCheck.uniqueArray(FastCheck.tuple(name, value), { selector: ([name]) => name }).chain((pairs) =>
  FastCheck.tuple(
    FastCheck.tuple(...pairs.map(([, value]) => written(value))),
    FastCheck.constantFrom("", "export ", "  "),
    FastCheck.constantFrom("\n", "\r\n", "\n\n# x\n \n")
  ).map(([values, before, end]) => ({
    pairs,
    text: pairs.map(([name], index) => `${before}${name}=${values[index]}${end}`).join("")
  }))
)

const secret = "hunter2"

describe("EnvFile.parse", () => {
  it("gives back what was written, whichever way it is quoted", () => {
    FastCheck.assert(FastCheck.property(files, ({ pairs, text }) => {
      assert.deepStrictEqual(parse(text), Either.right(new Map(pairs)))
    }))
  })

  it("never throws, and never tells a value", () => {
    const garbage = FastCheck.array(
      FastCheck.constantFrom("A", "=", "'", "\"", "\\", "\n", "\r\n", " ", "#", "export ", secret, "__proto__"),
      { maxLength: 30 }
    )
    FastCheck.assert(FastCheck.property(garbage, (parts) => {
      const result = parse(parts.join(""))
      if (Either.isRight(result)) return assert.isFalse(result.right.has("__proto__"))
      for (const { line, message } of result.left) {
        assert.isAtLeast(line, 1)
        assert.isAtMost(line, parts.join("").split("\n").length)
        // A line `hunter2=…` gives its name away, and that is what a name is for.
        if (!/hunter2[^\n]*=/.test(parts.join(""))) assert.notInclude(message, secret)
      }
    }))
  })

  it.each([
    ["A=a#b # c", "a#b"],
    ["A=\"a\\nb\\\\\\$c\\d\"", "a\nb\\$c\\d"],
    ["A='a\nb'", "a\nb"],
    ["A= # c", ""],
    ["A=", ""],
    ["A = b c ", "b c"],
    ["A=1\nA=2", "2"],
    ["A=$HOME", "$HOME"]
  ])("%s", (text, value) => {
    assert.deepStrictEqual(parse(text), Either.right(new Map([["A", value]])))
  })
})
