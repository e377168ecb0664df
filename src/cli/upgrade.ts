/**
 * `tenement upgrade`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "node:path"
import { connect } from "./Connect.ts"
import { print, printJson, Session } from "./Session.ts"

/** A script is run by the Node that runs this command; anything else runs by itself. */
const commandOf = (program: string): readonly [string, ...ReadonlyArray<string>] => {
  const path = Path.resolve(program)
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path]
}

/**
 * @since 0.1.0
 * @category commands
 */
export const upgrade = Command.make(
  "upgrade",
  {
    program: Options.text("program").pipe(
      Options.withPseudoName("PATH"),
      Options.withDescription("the tenement to start; else the running one's own, as it is installed by now"),
      Options.optional
    ),
    timeout: Options.float("timeout").pipe(
      Options.withPseudoName("SECONDS"),
      Options.withDescription("how long it may take until it is ready; 60 if nothing is said"),
      Options.optional
    )
  },
  Effect.fnUntraced(function*({ program, timeout }) {
    const { globals } = yield* Session
    const { tree } = yield* connect
    const { before, now } = yield* tree.upgrade({
      payload: {
        ...(Option.isSome(program) ? { command: commandOf(program.value) } : {}),
        ...(Option.isSome(timeout) ? { timeoutSeconds: timeout.value } : {})
      }
    })
    yield* globals.json
      ? printJson({ before, now })
      : print([
        `version ${now.version} (pid ${now.pid}) is in charge, in place of ${before.version} (pid ${before.pid})`
      ])
  })
).pipe(
  Command.withDescription(
    "Puts a new supervisor in the place of the running one. No instance is restarted, no request is lost; if the new " +
      "one does not get ready, the old one goes on."
  )
)
