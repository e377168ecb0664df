/**
 * What is written down of a group: the rounds that its intensity counts, for the supervisor that comes after this one.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Intensity from "../domain/Intensity.ts"
import type { GroupName } from "../domain/Names.ts"
import { Session, since } from "../domain/Saved.ts"
import type { Store } from "../layers/Store.ts"

const Rounds = Schema.Struct({ session: Session, history: Schema.Array(Schema.Number) })

const isRounds = Schema.is(Rounds)

// What is taken is taken by how it begins: the dot, which no name has, keeps it from being another group's too.
const keyOf = (name: GroupName): string => `group ${name}.`

/**
 * The rounds of a group that an earlier supervisor made, on the clock of this one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = (store: Context.Tag.Service<Store>, name: GroupName): Effect.Effect<Intensity.History> =>
  Effect.map(store.take(keyOf(name)), (found) => {
    const rounds = found.get(keyOf(name))
    return isRounds(rounds) ? since(rounds.history, rounds.session, store.session) : Intensity.empty
  })

/**
 * Writes them down.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (
  store: Context.Tag.Service<Store>,
  name: GroupName,
  history: Intensity.History
): Effect.Effect<void> =>
  history.length === 0
    ? store.remove(keyOf(name))
    : store.put(keyOf(name), { session: store.session, history } satisfies typeof Rounds.Type)
