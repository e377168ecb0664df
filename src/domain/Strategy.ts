/**
 * What a supervisor does to the others when one child fails: OTP's three strategies, as arithmetic on an order.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * - `one-for-one`: only the child that failed is started again
 * - `one-for-all`: all are stopped and started
 * - `rest-for-one`: the child that failed and those after it in start order
 *
 * @since 0.1.0
 * @category models
 */
export const Strategy = Schema.Literal("one-for-one", "one-for-all", "rest-for-one").annotations({
  identifier: "Strategy"
})
/** @since 0.1.0 */
export type Strategy = typeof Strategy.Type

/**
 * A round: who is stopped, in this order, and then who is started, in this order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Round<Id> {
  readonly stop: ReadonlyArray<Id>
  readonly start: ReadonlyArray<Id>
}

/**
 * The round that the failure of `failed` asks for, given all children in start order. Stops go in reverse start order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const round = <Id>(strategy: Strategy, order: ReadonlyArray<Id>, failed: Id): Round<Id> => {
  const index = order.indexOf(failed)
  if (index < 0) return { stop: [], start: [] }
  const start = strategy === "one-for-one"
    ? [failed]
    : strategy === "one-for-all"
    ? order
    : order.slice(index)
  return { start, stop: [...start].reverse() }
}
