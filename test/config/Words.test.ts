import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { execFileSync } from "node:child_process"
import { split } from "../../src/config/Words.ts"

const noNul = FastCheck.fullUnicodeString().map((text) => text.replaceAll("\0", ""))

/** One word in one of the ways a shell lets it be written. */
const quoted = (word: string) =>
  FastCheck.constantFrom(
    `'${word.replaceAll("'", "'\\''")}'`,
    `"${word.replace(/[$`"\\]/g, "\\$&")}"`,
    word === "" ? "''" : word.replace(/[^\n]/gu, "\\$&").replaceAll("\n", "'\n'")
  )

const lines = FastCheck.array(noNul, { minLength: 1, maxLength: 5 }).chain((words) =>
  FastCheck.tuple(
    FastCheck.tuple(...words.map(quoted)),
    FastCheck.constantFrom(" ", "\t", "\n", "  ", " \t ", " \\\n ")
  ).map(([parts, blank]) => ({ words, line: parts.join(blank) }))
)

/** What no shell expands: blanks, quotes, escapes and letters. */
const plainLine = FastCheck.stringOf(
  FastCheck.constantFrom("a", "b", " ", "\t", "\n", "'", "\"", "\\", "$$", "-", "=", "é", "😀"),
  { maxLength: 20 }
).map((text) => text.replaceAll("$$", "="))

const shell = (line: string): ReadonlyArray<string> | undefined => {
  try {
    const text = execFileSync("sh", ["-c", `printf '%s\\0' - ${line}\n`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
    return text.split("\0").slice(1, -1)
  } catch {
    return undefined
  }
}

describe("Words.split", () => {
  it("gives back the words, whichever way each is quoted", () => {
    FastCheck.assert(FastCheck.property(lines, ({ line, words }) => {
      assert.deepStrictEqual(split(line), Either.right(words.map((word) => word.replaceAll("\r\n", "\n"))))
    }))
  })

  it("never throws, and fails only where a quote or an escape is open", () => {
    FastCheck.assert(FastCheck.property(FastCheck.fullUnicodeString(), (line) => {
      if (Either.isLeft(split(line))) assert.match(line, /['"\\]/)
    }))
  })

  it("splits as sh does", () => {
    // A newline ends sh's command: only quoted ones are the same to both.
    const oneLine = plainLine.filter((line) => !/\n/.test(line.replace(/'[^']*'|"(?:\\[^]|[^"\\])*"|\\[^]/g, "")))
    FastCheck.assert(
      FastCheck.property(oneLine, (line) => {
        const ours = split(line)
        const theirs = shell(line)
        if (Either.isRight(ours)) assert.deepStrictEqual(theirs, ours.right)
        // Some shells close what the end of the text leaves open with a backslash.
        else if (!ours.left.includes("backslash")) assert.isUndefined(theirs)
      }),
      { numRuns: 150 }
    )
  }, 60_000)

  it.each([
    ["deno run sync.ts", ["deno", "run", "sync.ts"]],
    ["sh -c 'echo \"$HOME\"'", ["sh", "-c", "echo \"$HOME\""]],
    ["a \"b \\\"c\\\" \\d\"", ["a", "b \"c\" \\d"]],
    ["a\\ b ''  \"\"", ["a b", "", ""]],
    ["a # b | c && $D *", ["a", "#", "b", "|", "c", "&&", "$D", "*"]],
    ["a \\\n  b", ["a", "b"]],
    ["  ", []]
  ])("%s", (line, words) => {
    assert.deepStrictEqual(split(line), Either.right(words))
  })

  it.each([["a 'b", "'"], ["a \"b", "\""], ["a \"b\\\"", "\""], ["a\\", "backslash"]])(
    "%s is refused",
    (line, what) => {
      const result = split(line)
      assert.isTrue(Either.isLeft(result) && result.left.includes(what))
    }
  )
})
