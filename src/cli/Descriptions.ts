/**
 * What `describe` and `why` have in common: both tell what is known of instances, each in its own words.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Description } from "../domain/Views.ts"
import { connect } from "./Connect.ts"
import type { Options } from "./render/Why.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

/**
 * Prints one description, or one after the other.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tell = Effect.fn("Descriptions.tell")(function*(
  words: ReadonlyArray<string>,
  lines: (description: Description, options: Options) => ReadonlyArray<string>
) {
  const { globals, out } = yield* Session
  const { instances } = yield* connect
  const { names, single } = yield* Targets.instances(words, instances.list({}))
  const found = yield* Effect.forEach(names, (name) => instances.describe({ path: { name } }), { concurrency: 8 })
  if (globals.json) return yield* printJson(single ? found[0] : found)
  const now = yield* Clock.currentTimeMillis
  const options = { now, room: out.columns(), palette: out.palette }
  yield* print(found.flatMap((it, index) => [...(index === 0 ? [] : ["", ""]), ...lines(it, options)]))
})
