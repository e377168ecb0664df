/**
 * One call of the command line: where it writes, and how.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { OutputClosed } from "./Errors.ts"
import * as Hints from "./Hints.ts"
import * as Palette from "./render/Palette.ts"

/**
 * What the whole command line was told before any command's own options.
 *
 * @since 0.1.0
 * @category models
 */
export interface Globals {
  readonly config: string | undefined
  readonly socket: string | undefined
  readonly json: boolean
  readonly noColor: boolean
}

/**
 * Somewhere to write. `columns` is its width, `null` for what is not a terminal.
 *
 * @since 0.1.0
 * @category models
 */
export interface Output {
  readonly columns: () => number | null
  readonly rows: () => number
  readonly palette: Palette.Palette
  readonly write: (text: string | Uint8Array) => Effect.Effect<void, OutputClosed>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Session extends Context.Tag("tenement/cli/Session")<Session, {
  readonly globals: Globals
  /** Results, and nothing but results. */
  readonly out: Output
  /** Errors, and what is told to a person who waits. */
  readonly err: Output
}>() {}

const output = (stream: NodeJS.WriteStream, noColor: boolean): Output => {
  const terminal = stream.isTTY
  // Without a listener, a reader that went away would end the program with a stack trace.
  if (stream.listenerCount("error") === 0) stream.on("error", () => undefined)
  return {
    columns: () => terminal ? Math.max(1, stream.columns ?? 80) : null,
    rows: () => stream.rows ?? 24,
    palette: terminal && !noColor ? Palette.ansi : Palette.plain,
    write: (text) =>
      Effect.async<void, OutputClosed>((resume) => {
        if (stream.destroyed || stream.writableEnded) return resume(Either.left(new OutputClosed()))
        stream.write(text, (error) => resume(error ? Either.left(new OutputClosed()) : Effect.void))
      })
  }
}

/**
 * The session of this process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofProcess = (globals: Globals): Context.Tag.Service<Session> => {
  const { NO_COLOR, TERM } = process.env
  const noColor = globals.noColor || (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb"
  return { globals, out: output(process.stdout, noColor), err: output(process.stderr, noColor) }
}

/**
 * Prints lines of a result.
 *
 * @since 0.1.0
 * @category combinators
 */
export const print = (lines: ReadonlyArray<string>): Effect.Effect<void, OutputClosed, Session> =>
  Effect.flatMap(Session, ({ out }) => lines.length === 0 ? Effect.void : out.write(`${lines.join("\n")}\n`))

/**
 * Prints a result as JSON: indented for a person, one line for a program.
 *
 * @since 0.1.0
 * @category combinators
 */
export const printJson = (value: unknown): Effect.Effect<void, OutputClosed, Session> =>
  Effect.flatMap(
    Session,
    ({ out }) => out.write(`${JSON.stringify(value, null, out.columns() === null ? undefined : 2)}\n`)
  )

/** What is wrong with a file begins with the place, line by line, where editors and people look for it. */
const paragraph = (error: { readonly _tag: string; readonly message: string }, palette: Palette.Palette): string =>
  error._tag === "ConfigInvalid" ? error.message : `${palette.bad("tenement:")} ${error.message}`

/**
 * Says on stderr what went wrong, as one paragraph, or as JSON: its tag, its message and its own fields.
 *
 * @since 0.1.0
 * @category combinators
 */
export const complain = (error: { readonly _tag: string; readonly message: string }) =>
  Effect.flatMap(Session, ({ err, globals }) => {
    const message = Hints.told(error)
    const shown = globals.json
      ? JSON.stringify({ ...error, _tag: error._tag, message })
      : paragraph({ _tag: error._tag, message: Palette.harmless(message) }, err.palette)
    return Effect.ignore(err.write(`${shown}\n`))
  })
