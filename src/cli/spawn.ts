/**
 * `tenement spawn`.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { defaultId, instanceName, parts } from "../domain/Names.ts"
import type { Outcome } from "../domain/Views.ts"
import { told } from "./Change.ts"
import { connect } from "./Connect.ts"
import { WordsWrong } from "./Errors.ts"
import * as Progress from "./Progress.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

/** Where the instance is to be found; a script takes it as it stands. */
const address = ({ instance }: Outcome): string =>
  instance.socket ?? (instance.port === null ? instance.name : `127.0.0.1:${instance.port}`)

const parse = Effect.fnUntraced(function*(word: string, id: Option.Option<string>) {
  const given = yield* Effect.transposeOption(Option.map(id, Targets.id))
  const target = yield* Targets.target(word)
  if (target._tag === "Service") return { service: target.name, id: Option.getOrElse(given, () => defaultId) }
  const named = parts(target.name)
  if (Option.isSome(given) && given.value !== named.id) {
    return yield* new WordsWrong({ message: `${word} and --id ${given.value} name two instances; give one of them` })
  }
  return named
})

/**
 * @since 0.1.0
 * @category commands
 */
export const spawn = Command.make(
  "spawn",
  {
    name: Args.text({ name: "NAME" }).pipe(
      Args.withDescription("a service (api), or a service and the id of the instance (api:prod)")
    ),
    id: Options.text("id").pipe(
      Options.withPseudoName("ID"),
      Options.withDescription("the id of the instance; \"default\" where none is given"),
      Options.optional
    )
  },
  Effect.fnUntraced(function*({ id, name }) {
    const { err, globals, out } = yield* Session
    const payload = yield* parse(name, id)
    const client = yield* connect
    const outcome = yield* Progress.during(
      client.instances.spawn({ payload }),
      new Set([instanceName(payload.service, payload.id)]),
      (name) => client.instances.describe({ path: { name } })
    )
    if (globals.json) return yield* printJson(outcome)
    if (out.columns() !== null) yield* err.write(`${told(outcome, err.palette)}\n`)
    yield* print([address(outcome)])
  })
).pipe(Command.withDescription("Creates an instance and starts it, waits until it is ready, and prints its socket."))
