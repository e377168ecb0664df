/**
 * `tenement rm`.
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
export const rm = Command.make(
  "rm",
  {
    // A service's name does not do here: what is deleted is named in full.
    words: Args.atLeast(
      Args.text({ name: "NAME" }).pipe(Args.withDescription("an instance, by its full name (api:prod)")),
      1
    ),
    data: Options.boolean("data").pipe(
      Options.withDescription("also deletes the folder of the instance, with all in it, and its logs")
    )
  },
  Effect.fnUntraced(function*({ data, words }) {
    const { globals } = yield* Session
    const names = yield* Effect.forEach(words, Targets.instance)
    const { instances } = yield* connect
    const waiting = new Set(names)
    const remove = Effect.forEach(names, (name) =>
      instances.remove({ path: { name }, urlParams: { data } }).pipe(
        Effect.tap(() => {
          waiting.delete(name)
          return globals.json
            ? Effect.void
            : Effect.zipRight(Progress.erase, print([`${name} is gone${data ? ", and its data with it" : ""}`]))
        })
      ), { discard: true })
    yield* Progress.during(remove, waiting, (name) => instances.describe({ path: { name } }))
    if (globals.json) yield* printJson({ removed: names, data })
  })
).pipe(Command.withDescription("Stops instances and forgets them."))
