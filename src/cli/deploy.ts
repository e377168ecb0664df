/**
 * `tenement deploy`.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { defaultId, instanceName } from "../domain/Names.ts"
import { told } from "./Change.ts"
import { connect } from "./Connect.ts"
import * as Progress from "./Progress.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const deploy = Command.make(
  "deploy",
  {
    service: Args.text({ name: "SERVICE" }).pipe(Args.withDescription("a service of the file")),
    command: Args.repeated(Args.text({ name: "COMMAND" })).pipe(
      Args.withDescription("after --, a command in the place of the one of the file, word by word")
    ),
    id: Options.text("as").pipe(
      Options.withPseudoName("ID"),
      Options.withDescription("the id of the new version, such as v2; \"default\" where none is given"),
      Options.optional
    ),
    share: Options.integer("share").pipe(
      Options.withPseudoName("N"),
      Options.withDescription("its weight beside the others, which go on; without it, it gets all traffic"),
      Options.optional
    )
  },
  Effect.fnUntraced(function*({ command, id, service, share }) {
    const { globals, out } = yield* Session
    const payload = {
      service: yield* Targets.service(service),
      id: yield* Option.match(id, { onNone: () => Effect.succeed(defaultId), onSome: Targets.id }),
      ...(command.length === 0 ? {} : { command }),
      ...(Option.isNone(share) ? {} : { share: share.value })
    }
    const client = yield* connect
    const outcome = yield* Progress.during(
      client.tree.deploy({ payload }),
      new Set([instanceName(payload.service, payload.id)]),
      (name) => client.instances.describe({ path: { name } })
    )
    yield* globals.json ? printJson(outcome) : print([told(outcome, out.palette)])
  })
).pipe(
  Command.withDescription(
    "Starts a new version next to the old one and moves traffic to it when it is ready. One that is not is removed."
  )
)
