import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { round } from "../../src/domain/Strategy.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

/** Children in start order, and the one that failed. */
const family = FC.uniqueArray(FC.nat(50), { minLength: 1, maxLength: 12 }).chain((order) =>
  FC.tuple(FC.constant(order), FC.constantFrom(...order))
)

describe("a round", () => {
  it.prop("reaches whom OTP says it reaches", [Arbitraries.strategy, family], ([strategy, [order, failed]]) => {
    const { start } = round(strategy, order, failed)
    for (const [index, child] of order.entries()) {
      const isReached = child === failed ||
        strategy === "one-for-all" ||
        (strategy === "rest-for-one" && index > order.indexOf(failed))
      assert.strictEqual(start.includes(child), isReached)
    }
  })

  it.prop("starts in start order, and stops the same children in reverse", [Arbitraries.strategy, family], (given) => {
    const [strategy, [order, failed]] = given
    const { start, stop } = round(strategy, order, failed)
    assert.deepStrictEqual(start, order.filter((child) => start.includes(child)))
    assert.deepStrictEqual([...stop].reverse(), start)
  })

  it.prop("for a child that is not there reaches nobody", [Arbitraries.strategy, family], ([strategy, [order]]) => {
    assert.deepStrictEqual(round(strategy, order, -1), { start: [], stop: [] })
  })
})
