/**
 * `tenement start`, `stop` and `restart`: several instances, each with an outcome of its own.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { InstanceName } from "../domain/Names.ts"
import type { Description, InstanceView, Outcome } from "../domain/Views.ts"
import { connect, isUnreachable } from "./Connect.ts"
import { Reported } from "./Errors.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Progress from "./Progress.ts"
import * as Palette from "./render/Palette.ts"
import { complain, print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"
import * as Words from "./Words.ts"

/**
 * The line that tells an outcome.
 *
 * @since 0.1.0
 * @category combinators
 */
export const told = ({ changed, forced, instance }: Outcome, palette: Palette.Palette): string =>
  `${instance.name} ${changed ? "is" : "was already"} ${Palette.ofState(palette, instance.state)(instance.state)}` +
  (forced ? palette.warn(" (it did not stop in time and was killed)") : "")

interface Failure {
  readonly _tag: string
  readonly message: string
}

/**
 * Does it to every instance that the words stand for. An instance that fails does not keep the others from their turn;
 * a supervisor that cannot be reached does.
 */
const change = Effect.fn("Change.change")(function*<E extends Failure, E2 extends Failure, E3>(options: {
  readonly words: ReadonlyArray<string>
  readonly concurrency: number
  readonly list: Effect.Effect<ReadonlyArray<InstanceView>, E2>
  readonly describe: (name: InstanceName) => Effect.Effect<Description, E3>
  readonly act: (name: InstanceName) => Effect.Effect<Outcome, E>
}) {
  const { globals, out } = yield* Session
  const { names, single } = yield* Targets.instances(options.words, options.list)
  const waiting = new Set(names)
  const one = Effect.fnUntraced(function*(name: InstanceName) {
    const result = yield* Effect.either(options.act(name))
    waiting.delete(name)
    if (Either.isLeft(result)) {
      if (isUnreachable(result.left)) return yield* Effect.fail(result.left)
      yield* Effect.zipRight(Progress.erase, complain(result.left))
      return { outcome: null, code: ExitCode.of(result.left) }
    }
    if (!globals.json) yield* Effect.zipRight(Progress.erase, print([told(result.right, out.palette)]))
    return { outcome: result.right, code: ExitCode.codes.done }
  })
  const results = yield* Progress.during(
    Effect.forEach(names, one, { concurrency: options.concurrency }),
    waiting,
    options.describe
  )
  const outcomes = results.flatMap(({ outcome }) => outcome === null ? [] : [outcome])
  if (globals.json && (!single || outcomes.length > 0)) yield* printJson(single ? outcomes[0] : outcomes)
  const code = Math.max(0, ...results.map((result) => result.code))
  if (code > 0) return yield* new Reported({ code })
})

const command = (
  verb: "start" | "stop" | "restart",
  options: { readonly concurrency: number; readonly description: string }
) =>
  Command.make(
    verb,
    { words: Words.some },
    Effect.fnUntraced(function*({ words }) {
      const { instances } = yield* connect
      yield* change({
        words,
        concurrency: options.concurrency,
        list: instances.list({}),
        describe: (name) => instances.describe({ path: { name } }),
        act: (name) => instances[verb]({ path: { name } })
      })
    })
  ).pipe(Command.withDescription(options.description))

/**
 * @since 0.1.0
 * @category commands
 */
export const start = command("start", {
  concurrency: 16,
  description: "Starts instances and waits until they are ready. Lifts `failed`."
})

/**
 * @since 0.1.0
 * @category commands
 */
export const stop = command("stop", {
  concurrency: 16,
  description: "Stops instances and waits until nothing of them is left. They stay known, and stopped."
})

/**
 * @since 0.1.0
 * @category commands
 */
export const restart = command("restart", {
  concurrency: 1,
  description: "Restarts instances, one after the other, and waits until each is ready."
})
