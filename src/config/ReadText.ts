/**
 * Reads a small text file, and says what is in the way in a person's words.
 *
 * @since 0.1.0
 */
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"

const maxMib = 1

/**
 * Why a file is no text that could be read, and where in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unreadable {
  readonly message: string
  readonly line: number
  readonly column: number
}

const unreadable = (message: string): Unreadable => ({ message, line: 1, column: 1 })

const explain = (error: PlatformError.PlatformError): Unreadable => {
  switch (error._tag === "SystemError" ? error.reason : undefined) {
    case "NotFound":
      return unreadable("there is no such file")
    case "PermissionDenied":
      return unreadable("this file may not be read: permission denied")
    default:
      return unreadable(`this file cannot be read: ${error.message}`)
  }
}

const before = (text: string, offset: number): Pick<Unreadable, "line" | "column"> => {
  const lines = text.slice(0, offset).split("\n")
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}

const toText = (bytes: Uint8Array): Effect.Effect<string, Unreadable> => {
  const text = new TextDecoder().decode(bytes)
  const nul = text.indexOf("\0")
  if (nul >= 0) {
    return Effect.fail({ message: "this is no text: it holds a NUL byte", ...before(text, nul) })
  }
  return Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => ({ message: "this is no UTF-8 text", ...before(text, text.indexOf("\uFFFD")) })
  })
}

/**
 * The text of a file of at most 1 MiB, in UTF-8.
 *
 * @since 0.1.0
 * @category constructors
 */
export const readText = Effect.fn("ReadText.readText")(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  // What is no plain file may never end, or never begin.
  const info = yield* Effect.mapError(fs.stat(path), explain)
  if (info.type !== "File") {
    return yield* Effect.fail(
      unreadable(info.type === "Directory" ? "this is a folder, not a file" : "this is no plain file")
    )
  }
  if (info.size > maxMib * 1024 * 1024) {
    return yield* Effect.fail(unreadable(`this file is larger than ${maxMib} MiB`))
  }
  return yield* Effect.flatMap(Effect.mapError(fs.readFile(path), explain), toText)
})
