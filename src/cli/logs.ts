/**
 * `tenement logs`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogLine } from "../domain/Views.ts"
import { connect } from "./Connect.ts"
import { WordsWrong } from "./Errors.ts"
import * as Following from "./Following.ts"
import * as Log from "./render/Log.ts"
import { Session } from "./Session.ts"
import * as Since from "./Since.ts"
import * as Targets from "./Targets.ts"
import * as Words from "./Words.ts"

const checkPattern = (pattern: string) =>
  Effect.try({
    try: () => new RegExp(pattern),
    catch: () => new WordsWrong({ message: `--grep takes a regular expression; "${pattern}" is none` })
  })

const written = Effect.fnUntraced(function*(raw: boolean, names: number) {
  const { globals, out } = yield* Session
  if (globals.json) return (line: LogLine) => Buffer.from(`${JSON.stringify(line)}\n`)
  if (raw) return (line: LogLine) => Log.raw(line)
  const options = { terminal: out.columns() !== null, palette: out.palette, names }
  return (line: LogLine, now: number) => Buffer.from(`${Log.line(line, { ...options, now })}\n`)
})

/**
 * @since 0.1.0
 * @category commands
 */
export const logs = Command.make(
  "logs",
  {
    words: Words.any,
    ...Since.options,
    grep: Options.text("grep").pipe(
      Options.withPseudoName("RE"),
      Options.withDescription("only lines that match this regular expression"),
      Options.optional
    ),
    raw: Options.boolean("raw").pipe(Options.withDescription("only what was printed, without time, name and stream"))
  },
  Effect.fnUntraced(function*({ grep, raw, words, ...given }) {
    yield* Effect.transposeOption(Option.map(grep, checkPattern))
    const query = yield* Since.query(given)
    const { out } = yield* Session
    const client = yield* connect
    const { names, single } = words.length === 0
      ? { names: [], single: false }
      : yield* Targets.instances(words, client.instances.list({}))
    const shown = names.length > 0 ? names : out.columns() === null ? [] : yield* Effect.map(
      client.instances.list({}),
      (all) => all.map(({ name }) => name)
    )
    const write = yield* written(raw, single ? 0 : Math.max(0, ...shown.map((name) => name.length)))
    const selection = {
      ...query,
      ...(Option.isSome(grep) ? { grep: grep.value } : {}),
      ...(names.length > 0 ? { instance: names } : {})
    }
    const lines = query.follow ? Following.lines(client, selection) : client.logs(selection)
    yield* lines.pipe(
      Stream.runForEachChunk((lines) =>
        Effect.flatMap(
          Clock.currentTimeMillis,
          (now) => out.write(Buffer.concat([...lines].map((line) => write(line, now))))
        )
      )
    )
  })
).pipe(Command.withDescription("Shows what instances printed; of all of them where none is named."))
