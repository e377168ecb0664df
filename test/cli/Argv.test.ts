import * as Descriptor from "@effect/cli/CommandDescriptor"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Argv from "../../src/cli/Argv.ts"
import { cliConfig, environment, program } from "../../src/cli/main.ts"

const grammar = Argv.grammar(program)

const run = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const request = Either.getOrThrowWith(Argv.read(grammar, argv), (wrong) => new Error(wrong.message))
  assert(request._tag === "Run")
  return request.argv
}

const wrong = (argv: ReadonlyArray<string>): string =>
  Either.match(Argv.read(grammar, argv), { onLeft: ({ message }) => message, onRight: () => "" })

// Values that look like commands, options and booleans; not one that is an option, which may not follow its option.
const value = FastCheck.oneof(
  FastCheck.constantFrom("ps", "start", "true", "1", "no", "a=b", "x y", " x "),
  FastCheck.string({ minLength: 1, maxLength: 8 }).filter((text) => !/^[-=]/.test(text))
)
const flag = (name: string) => FastCheck.constant([name])
const valued = (...names: ReadonlyArray<string>) =>
  FastCheck.tuple(FastCheck.constantFrom(...names), value).chain(([name, value]) =>
    FastCheck.constantFrom(name.startsWith("--") ? [`${name}=${value}`] : [`${name}${value}`], [name, value])
  )
const globals = FastCheck.tuple(
  FastCheck.option(flag("--json"), { nil: [] }),
  FastCheck.option(flag("--no-color"), { nil: [] }),
  FastCheck.option(valued("--socket"), { nil: [] }),
  FastCheck.option(valued("--config", "-c"), { nil: [] })
).map((parts) => parts.filter((part) => part.length > 0))
const own = FastCheck.tuple(
  FastCheck.option(FastCheck.constantFrom(["-f"], ["--follow"]), { nil: [] }),
  FastCheck.option(valued("--since"), { nil: [] }),
  FastCheck.option(valued("--grep"), { nil: [] })
).map((parts) => parts.filter((part) => part.length > 0))
const word = FastCheck.constantFrom("api", "api:prod", "logs", "stop", "true", "0")

/** Puts each piece somewhere among the others, without changing the order of those. */
const scattered = (
  pieces: ReadonlyArray<ReadonlyArray<string>>,
  among: ReadonlyArray<ReadonlyArray<string>>,
  places: ReadonlyArray<number>
): ReadonlyArray<string> => {
  const line = [...among]
  for (const [index, piece] of pieces.entries()) line.splice((places[index] ?? 0) % (line.length + 1), 0, piece)
  return line.flat()
}

const places = FastCheck.array(FastCheck.nat(20), { minLength: 8, maxLength: 8 })

const parsed = (argv: ReadonlyArray<string>) => {
  const line = run(argv)
  const name = line.indexOf("logs")
  const end = line.indexOf("--", name)
  // The order among options of one kind says nothing.
  return {
    globals: line.slice(0, name).toSorted(),
    options: line.slice(name, end === -1 ? undefined : end).toSorted(),
    words: end === -1 ? [] : line.slice(end)
  }
}

describe("Argv", () => {
  it("reads the same from options anywhere on the line", () => {
    FastCheck.assert(
      FastCheck.property(
        globals,
        own,
        FastCheck.array(word, { maxLength: 3 }),
        places,
        places,
        (all, own, words, a, b) => {
          const canonical = [...all.flat(), "logs", ...own.flat(), ...words]
          const command = scattered(own, words.map((word) => [word]), a)
          const line = scattered(all, [["logs"], ...split(command, own)], b)
          assert.deepStrictEqual(parsed(line), parsed(canonical))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("gives @effect/cli a line that it cannot read otherwise: globals, command, options, words", () => {
    assert.deepStrictEqual(run(["spawn", "api", "--id", "prod", "--json"]), [
      "--json",
      "spawn",
      "--id",
      "prod",
      "--",
      "api"
    ])
    assert.deepStrictEqual(run(["logs", "api:prod", "-fn100"]), ["logs", "--follow", "--tail", "100", "--", "api:prod"])
    assert.deepStrictEqual(run(["--socket", "ps", "ps"]), ["--socket=ps", "ps"])
  })

  it.effect("brings every value through @effect/cli as it was written", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(value, value, value, async (socket, grep, word) => {
          const line = run(["logs", word, "--grep", grep, "--socket", socket])
          const directive = await Effect.runPromise(
            Descriptor.parse(program.command.descriptor, ["tenement", ...line], cliConfig).pipe(
              Effect.provide(environment)
            )
          )
          assert(directive._tag === "UserDefined")
          const text = JSON.stringify(directive.value)
          for (const part of [socket, grep, word]) assert.include(text, JSON.stringify(part))
        })
      )
    ))

  it("takes everything after -- for a word", () => {
    assert.deepStrictEqual(run(["stop", "--", "--json", "-x"]), ["stop", "--", "--json", "-x"])
    assert.deepStrictEqual(run(["--json", "--", "stop", "--json"]), ["--json", "stop", "--", "--json"])
  })

  it("lets the last of several values stand", () => {
    assert.deepStrictEqual(run(["--socket", "/a", "ps", "--socket", "/b"]), ["--socket", "/b", "ps"])
  })

  it("answers help wherever it is asked for", () => {
    for (
      const argv of [["logs", "x", "--help"], ["--help", "logs"], ["logs", "-fh"], ["logs", "--since", "5m", "-h"]]
    ) {
      assert.deepStrictEqual(Argv.read(grammar, argv), Either.right({ _tag: "Help", path: ["logs"], asked: true }))
    }
    assert.deepStrictEqual(Argv.read(grammar, []), Either.right({ _tag: "Help", path: [], asked: false }))
  })

  it("names the nearest command and option", () => {
    assert.include(wrong(["resart", "api"]), "did you mean \"restart\"?")
    assert.include(wrong(["logs", "--folow"]), "did you mean \"--follow\"?")
    assert.include(wrong(["ps", "--jsn"]), "did you mean \"--json\"?")
    assert.include(wrong(["frobnicate"]), "tenement --help")
  })

  it("refuses a value where none belongs, and none where one does", () => {
    assert.strictEqual(wrong(["ps", "--json=yes"]), "--json takes no value; found \"--json=yes\"")
    assert.strictEqual(wrong(["ps", "--socket"]), "--socket needs a value")
    assert.strictEqual(wrong(["ps", "--socket="]), "--socket needs a value")
    assert.strictEqual(wrong(["ps", "--socket", "--json"]), "--socket needs a value")
  })

  it("answers every line, whatever it says", () => {
    const any = FastCheck.oneof(
      FastCheck.constantFrom("ps", "logs", "config", "--", "-", "-f", "-n", "--json", "--id", "--help", "="),
      FastCheck.string({ maxLength: 6 })
    )
    FastCheck.assert(FastCheck.property(FastCheck.array(any, { maxLength: 8 }), (argv) => {
      const request = Argv.read(grammar, argv)
      assert(Either.isLeft(request) ? request.left.message !== "" : request.right._tag !== undefined)
    }))
  })
})

/** The pieces of a command's own line, an option and its value still together. */
function split(
  line: ReadonlyArray<string>,
  options: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<ReadonlyArray<string>> {
  const result: Array<ReadonlyArray<string>> = []
  for (let index = 0; index < line.length;) {
    const option = options.find((option) => option.every((part, at) => line[index + at] === part))
    result.push(option ?? [line[index]!])
    index += option?.length ?? 1
  }
  return result
}
