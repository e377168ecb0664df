/**
 * `tenement route`.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { connect } from "./Connect.ts"
import * as Progress from "./Progress.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const route = Command.make(
  "route",
  {
    name: Args.text({ name: "NAME" }).pipe(Args.withDescription("the instance (api:v2) that gets all traffic")),
    keep: Options.boolean("keep").pipe(Options.withDescription("leaves the other instances running, without traffic"))
  },
  Effect.fnUntraced(function*({ keep, name: word }) {
    const { globals } = yield* Session
    const name = yield* Targets.instance(word)
    const client = yield* connect
    const outcome = yield* Progress.during(
      client.instances.route({ path: { name }, urlParams: keep ? { keep } : {} }),
      new Set([name]),
      (name) => client.instances.describe({ path: { name } })
    )
    yield* globals.json
      ? printJson(outcome)
      : print([`${name} has all traffic of ${outcome.instance.service}`])
  })
).pipe(
  Command.withDescription(
    "Moves all traffic of a service to one instance, starts that if need be, and drains and stops the others."
  )
)
