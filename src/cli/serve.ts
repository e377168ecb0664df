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
    ),
    handover: Options.boolean("handover").pipe(
      Options.withDescription("takes the place of the supervisor that runs, if one does; no instance is restarted")
    )
  },
  Effect.fnUntraced(function*({ check, handover }) {
    if (!check) return yield* serving({ handover })
    const config = yield* Configuration.load
    yield* warn(config)
    yield* print([`${config.file}: ok`])
  })
).pipe(
  Command.withDescription(
    "The supervisor, in the foreground. SIGTERM and SIGINT stop everything in order, SIGHUP reloads, and SIGUSR2 ends it alone: " +
      "instances go on, and the next one takes them over."
  )
)
