/**
 * `tenement serve`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Configuration from "./Configuration.ts"
import { warn } from "./Examination.ts"
import { serving } from "./Serving.ts"
import { print } from "./Session.ts"

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
    if (!check) return yield* serving
    const config = yield* Configuration.load
    yield* warn(config)
    yield* print([`${config.file}: ok`])
  })
).pipe(
  Command.withDescription(
    "The supervisor, in the foreground. SIGTERM and SIGINT stop everything in order, SIGHUP reloads."
  )
)
