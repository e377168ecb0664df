import { assert, describe, it } from "@effect/vitest"
import * as Life from "./Life.ts"
import * as Plan from "./Plan.ts"

/** `npm run sim` lives as many as one likes. */
const seeds = Number(process.env["TENEMENT_SEEDS"] ?? 400)
const portion = 50

describe("simulated lives", () => {
  for (let from = 1; from <= seeds; from += portion) {
    it(`of the seeds from ${from} on keep every rule`, () => {
      for (let seed = from; seed < from + portion; seed++) {
        const plan = Plan.of(seed)
        const { violations } = Life.live(plan)
        assert.deepStrictEqual(violations, [], `npm run sim -- --seed ${seed}`)
      }
    }, 120_000)
  }

  it("are the same whenever a seed is lived again", () => {
    for (const seed of [2, 3, 5, 8, 13]) {
      assert.strictEqual(Life.live(Plan.of(seed)).hash, Life.live(Plan.of(seed)).hash, `seed ${seed}`)
    }
  })
})
