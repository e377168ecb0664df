import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { type Call, isLinearizable, type State, type Verb } from "./Linearizable.ts"

const call = (verb: Verb, from: number, to: number, status: number): Call => ({ verb, from, to, status })

/** What a machine that does one thing after the other would have answered. */
const perform = (state: State, verb: Verb): readonly [state: State, status: number] =>
  verb === "spawn"
    ? ["running", 200]
    : state === "absent"
    ? [state, 404]
    : [verb === "rm" ? "absent" : verb === "stop" ? "stopped" : "running", 200]

describe("isLinearizable", () => {
  it("accepts every history of a machine that does one thing after the other", () => {
    const step = FastCheck.record({
      verb: FastCheck.constantFrom<Verb>("spawn", "start", "stop", "restart", "rm"),
      before: FastCheck.integer({ min: 0, max: 4 }),
      after: FastCheck.integer({ min: 0, max: 4 })
    })
    FastCheck.assert(FastCheck.property(FastCheck.array(step, { maxLength: 60 }), (steps) => {
      let state: State = "absent"
      const calls = steps.map(({ after, before, verb }, moment) => {
        const [next, status] = perform(state, verb)
        state = next
        return call(verb, moment - before, moment + after + 0.5, status)
      })
      return isLinearizable(calls, "absent", state)
    }))
  })

  it("refuses a stop that came after all else and left it running, and a 404 for what is there", () => {
    assert.isFalse(isLinearizable([call("spawn", 0, 1, 200), call("stop", 2, 3, 200)], "absent", "running"))
    assert.isTrue(isLinearizable([call("spawn", 0, 3, 200), call("stop", 2, 4, 200)], "stopped", "running"))
    assert.isFalse(isLinearizable([call("spawn", 0, 1, 200), call("start", 2, 3, 404)], "absent", "running"))
    assert.isFalse(isLinearizable([call("rm", 0, 1, 200)], "running", "stopped"))
    assert.isFalse(isLinearizable([call("rm", 0, 1, 204), call("rm", 2, 3, 204)], "running", "absent"))
    assert.isTrue(isLinearizable([call("rm", 0, 2, 204), call("rm", 1, 3, 204)], "running", "absent"))
  })
})
