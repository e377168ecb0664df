/**
 * `tenement serve`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import manifest from "../../package.json" with { type: "json" }
import * as Configuration from "./Configuration.ts"
import { codes } from "./ExitCode.ts"
import { Session } from "./Session.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const serve = Command.make(
  "serve",
  {},
  Effect.fnUntraced(function*() {
    const session = yield* Session
    const config = yield* Configuration.load
    const load = Effect.provideService(Configuration.load, Session, session)
    const daemon = yield* Effect.promise(() => import("../daemon.ts"))
    yield* daemon.serve({ config, load, version: manifest.version }).pipe(
      // Asked to end, and everything is stopped: that is success.
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          process.exitCode = codes.done
        })
      ),
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
    )
  })
).pipe(Command.withDescription("Runs the supervisor in the foreground; SIGTERM stops everything, SIGHUP reloads."))
