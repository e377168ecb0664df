/**
 * Names of files with `*` and `?` in them.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Path from "node:path"

const isPattern = (segment: string): boolean => /[*?]/.test(segment)

const toRegExp = (segment: string): RegExp =>
  new RegExp(
    `^${segment.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^]*").replaceAll("?", "[^]")}$`
  )

// Path.join would take a leading "./" away, and with it the way the person names the file.
const join = (folder: string, name: string): string =>
  folder === "." ? name : folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`

/** As in a shell, `*` does not match a dot at the beginning. */
const namesIn = (folder: string, segment: string) => {
  const pattern = toRegExp(segment)
  return Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readDirectory(folder)).pipe(
    Effect.map((names) =>
      names
        .filter((name) => pattern.test(name) && (segment.startsWith(".") || !name.startsWith(".")))
        .sort()
        .map((name) => join(folder, name))
    )
  )
}

/**
 * The paths that a pattern stands for, sorted. A name without `*` and `?` stands for itself, whether it exists or not;
 * the folder of a pattern must exist.
 *
 * @since 0.1.0
 * @category constructors
 */
export const matches = Effect.fn("Glob.matches")(function*(folder: string, pattern: string) {
  if (pattern.includes("**")) {
    return yield* Effect.fail("** is not known here; * and ? stand for a part of one name")
  }
  const fs = yield* FileSystem.FileSystem
  let found: ReadonlyArray<string> = [Path.isAbsolute(pattern) ? "/" : folder]
  let searched = false
  for (const segment of pattern.split("/").filter((segment) => segment !== "" && segment !== ".")) {
    if (isPattern(segment)) {
      const names = found.map((above) =>
        namesIn(above, segment).pipe(
          // What an earlier pattern found may be a file.
          Effect.catchAll(() =>
            searched ? Effect.succeed([]) : Effect.fail(`the folder ${above} does not exist or may not be read`)
          )
        )
      )
      found = (yield* Effect.all(names)).flat()
      searched = true
    } else {
      found = found.map((above) => join(above, segment))
      if (searched) found = yield* Effect.filter(found, (path) => Effect.orElseSucceed(fs.exists(path), () => false))
    }
  }
  return found
})
