/**
 * The files of one instance's log: numbered segments, `00000001.log` and up. The one with the highest number is
 * written; the others never change again. Rotation begins a new segment and deletes the oldest, nothing is renamed: a
 * segment's number and an offset name the same byte for as long as it exists.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { codeOf } from "../../../internal/errno.ts"

/** What the operating system said. */
export class IoError {
  readonly _tag = "IoError"
  readonly code: string
  readonly path: string
  constructor(code: string, path: string) {
    this.code = code
    this.path = path
  }
}

export const attempt = <A>(file: string, call: () => Promise<A>): Effect.Effect<A, IoError> =>
  Effect.tryPromise({ try: call, catch: (cause) => new IoError(codeOf(cause), file) })

export const isCode = (code: string) => (error: IoError): boolean => error.code === code

export const pathOf = (directory: string, segment: number): string =>
  Path.join(directory, `${String(segment).padStart(8, "0")}.log`)

/** The numbers of the segments among the names of files, lowest first. */
export const numbersOf = (names: ReadonlyArray<string>): Array<number> =>
  names.flatMap((name) => /^\d{8,}\.log$/.test(name) ? [Number.parseInt(name)] : []).sort((a, b) => a - b)

/** The numbers of the segments there are, lowest first. */
export const list = (directory: string): Effect.Effect<Array<number>, IoError> =>
  attempt(directory, () => Fs.readdir(directory)).pipe(
    Effect.map(numbersOf),
    Effect.catchIf(isCode("ENOENT"), () => Effect.succeed([]))
  )
