/**
 * The files that a file includes.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Path from "node:path"
import * as Decode from "./Decode.ts"
import * as Glob from "./Glob.ts"
import { atKey, atLine, atValue, type Problem } from "./Problem.ts"
import { readText, type Unreadable } from "./ReadText.ts"
import * as Source from "./Source.ts"

// These hold for the whole configuration: they have one place.
const mainOnly = ["settings", "routing"]

/**
 * Reads a file and all that it includes, each once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = Effect.fn("Includes.read")(function*(main: string) {
  const fs = yield* FileSystem.FileSystem
  const files: Array<Decode.Decoded> = []
  const problems: Array<ReadonlyArray<Problem>> = []
  const seen = new Set<string>()

  // `chain` leads from the main file to the one that includes this one.
  const visit = Effect.fnUntraced(function*(
    file: string,
    chain: ReadonlyArray<string>,
    refuse: (unreadable: Unreadable) => Problem
  ): Effect.fn.Return<void, never, FileSystem.FileSystem> {
    const path = yield* Effect.orElseSucceed(fs.realPath(file), () => Path.resolve(file))
    if (chain.includes(path)) {
      const cycle = [...chain.slice(chain.indexOf(path)), path].join(" → ")
      return void problems.push([refuse({ message: `the files include each other: ${cycle}`, line: 1, column: 1 })])
    }
    if (seen.has(path)) return
    seen.add(path)
    const text = yield* Effect.either(readText(file))
    if (Either.isLeft(text)) return void problems.push([refuse(text.left)])
    const source = Source.parse(file, text.right)
    if (Either.isLeft(source)) return void problems.push([source.left])
    const decoded = Decode.decode(source.right)
    files.push(decoded)
    problems.push(source.right.problems, decoded.problems)
    if (chain.length > 0) {
      for (const section of mainOnly.filter((name) => Object.hasOwn(source.right.table, name))) {
        problems.push([atKey(source.right, [section], `belongs in ${main}, which includes this file`)])
      }
    }
    for (const [index, pattern] of (decoded.file.include ?? []).entries()) {
      const at = (message: string) => atValue(source.right, ["include", index], message)
      const matches = yield* Effect.either(Glob.matches(Path.dirname(file), pattern))
      if (Either.isLeft(matches)) problems.push([at(matches.left)])
      else {
        for (const match of matches.right) {
          yield* visit(match, [...chain, path], ({ message }) => at(`${match}: ${message}`))
        }
      }
    }
  })

  yield* visit(main, [], ({ column, line, message }) => atLine(main, message, line, column))
  return { files, problems: problems.flat() }
})
