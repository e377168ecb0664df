/**
 * The supervisor, from the file to its end.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import manifest from "../../package.json" with { type: "json" }
import * as Configuration from "./Configuration.ts"
import { makeWay } from "./MakeWay.ts"
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

/** Whoever started this one to take its place waits to hear. */
const refuse = ({ message }: { readonly message: string }) =>
  process.send === undefined
    ? Effect.void
    : Effect.flatMap(Effect.promise(() => import("../layers/Predecessor.ts")), ({ refuse }) => refuse(message))

/**
 * Reads the file and supervises what it declares until it is interrupted. With `handover`, whoever does so already is
 * asked to make way when all of that is ready.
 *
 * @since 0.1.0
 * @category constructors
 */
export const serving = Effect.fnUntraced(function*({ handover }: { readonly handover: boolean }) {
  const config = yield* Configuration.load
  const load = yield* Configuration.reading(config.file)
  const daemon = yield* Effect.promise(() => import("../daemon.ts"))
  const layer = yield* logging
  // Not if it was this one that was started to take over.
  if (handover && process.send === undefined) yield* makeWay(config.settings.socket)
  yield* Effect.sync(() => {
    // To be told to end is how a supervisor is meant to end.
    process.exitCode = 0
  })
  return yield* Effect.provide(daemon.serve({ config, load, version: manifest.version }), layer)
}, Effect.tapError(refuse))
