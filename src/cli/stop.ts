/**
 * `tenement stop`.
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
export const stop = Command.make(
  "stop",
  { words: Words.some },
  Effect.fnUntraced(function*({ words }) {
    const { instances } = yield* connect
    yield* change({
      words,
      concurrency: 16,
      list: instances.list({}),
      describe: (name) => instances.describe({ path: { name } }),
      act: (name) => instances.stop({ path: { name } })
    })
  })
).pipe(
  Command.withDescription("Stops instances and waits until nothing of them is left. They stay known, and stopped.")
)
