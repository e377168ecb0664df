/**
 * `tenement weight`.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { connect } from "./Connect.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const weight = Command.make(
  "weight",
  {
    name: Args.text({ name: "NAME" }).pipe(Args.withDescription("an instance (api:v2)")),
    weight: Args.integer({ name: "N" }).pipe(
      Args.withDescription("its share in proportion to the others, 0 for none; without it, what the file says"),
      Args.optional
    )
  },
  Effect.fnUntraced(function*({ name: word, weight }) {
    const { globals } = yield* Session
    const name = yield* Targets.instance(word)
    const { instances } = yield* connect
    const set = yield* instances.weigh({ path: { name }, payload: { weight: Option.getOrNull(weight) } })
    yield* globals.json ? printJson({ name, ...set }) : print([`${name} has weight ${set.weight}`])
  })
).pipe(
  Command.withDescription(
    "Sets the share of an instance in the traffic of its service. It holds until it is set again."
  )
)
