/**
 * `tenement serve`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import manifest from "../../package.json" with { type: "json" }
import * as Configuration from "./Configuration.ts"
import * as Palette from "./render/Palette.ts"
import { print, Session } from "./Session.ts"

/** What the supervisor says of itself goes to stderr: for a program, for a log, or for a person. */
const logging = Effect.map(Session, ({ err, globals }) =>
  Logger.replace(
    Logger.defaultLogger,
    globals.json
      ? Logger.withConsoleError(Logger.jsonLogger)
      : err.columns() === null
      ? Logger.withConsoleError(Logger.logfmtLogger)
      : Logger.prettyLogger({ stderr: true, colors: err.palette !== Palette.plain })
  ))

/**
 * @since 0.1.0
 * @category commands
 */
export const serve = Command.make(
  "serve",
  {
    check: Options.boolean("check").pipe(
      Options.withDescription("checks the file as config check does, and starts nothing")
    )
  },
  Effect.fnUntraced(function*({ check }) {
    const config = yield* Configuration.load
    if (check) return yield* print([`${config.file}: ok`])
    const load = yield* Configuration.reading(config.file)
    const daemon = yield* Effect.promise(() => import("../daemon.ts"))
    const layer = yield* logging
    yield* Effect.sync(() => {
      // To be told to end is how a supervisor is meant to end.
      process.exitCode = 0
    })
    yield* Effect.provide(daemon.serve({ config, load, version: manifest.version }), layer)
  })
).pipe(
  Command.withDescription(
    "The supervisor, in the foreground. SIGTERM and SIGINT stop everything in order, SIGHUP reloads."
  )
)
