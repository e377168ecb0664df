/**
 * The supervisor, from the file to its end.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import manifest from "../../package.json" with { type: "json" }
import * as Configuration from "./Configuration.ts"
import * as Palette from "./render/Palette.ts"
import { Session } from "./Session.ts"

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
 * Reads the file and supervises what it declares until it is interrupted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const serving = Effect.gen(function*() {
  const config = yield* Configuration.load
  const load = yield* Configuration.reading(config.file)
  const daemon = yield* Effect.promise(() => import("../daemon.ts"))
  const layer = yield* logging
  yield* Effect.sync(() => {
    // To be told to end is how a supervisor is meant to end.
    process.exitCode = 0
  })
  return yield* Effect.provide(daemon.serve({ config, load, version: manifest.version }), layer)
})
