/**
 * `tenement start`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { change } from "./Change.ts"
import { connect } from "./Supervisor.ts"
import * as Words from "./Words.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const start = Command.make(
  "start",
  { words: Words.some },
  Effect.fnUntraced(function*({ words }) {
    const { instances } = yield* connect
    yield* change({
      words,
      concurrency: 16,
      list: instances.list({}),
      describe: (name) => instances.describe({ path: { name } }),
      act: (name) => instances.start({ path: { name } })
    })
  })
).pipe(Command.withDescription("Starts instances and waits until they are ready. Lifts `failed`."))
