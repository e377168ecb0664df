import { assert, describe, it } from "@effect/vitest"
import { initial } from "../../src/domain/InstanceState.ts"
import { revive, type Saved } from "../../src/domain/Saved.ts"

const saved = (history: ReadonlyArray<number>): Saved => ({
  session: { boot: "one", origin: 1000 },
  state: { ...initial, wanted: "running", restarts: 2, history },
  run: null,
  deadlines: {},
  restarts: {},
  isListed: true
})

describe("what was written down, for the next supervisor", () => {
  it("has its times by the clock of today", () => {
    const { state } = revive(saved([5000, 6000]), { boot: "one", origin: 1400 }, false)
    assert.deepStrictEqual(state.history, [5400, 6400])
  })

  it("has no restarts in the window of another start of the machine, whose clock began anew", () => {
    const { state } = revive(saved([5_000_000, 6_000_000]), { boot: "two", origin: 20 }, false)
    assert.deepStrictEqual(state.history, [])
    assert.strictEqual(state.restarts, 2)
  })
})
