import { afterAll, assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Bundle from "./Bundle.ts"
import * as Coverage from "./Coverage.ts"
import * as Lived from "./Lived.ts"
import * as Mutations from "./Mutations.ts"
import * as Plan from "./Plan.ts"
import * as Workers from "./Workers.ts"

/** `npm run sim` lives as many as one likes. */
const seeds = Number(process.env["TENEMENT_SEEDS"] ?? 1500)

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-lives-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

/** `npm run mutants` has all of them. */
const quick = [
  "the delay does not wait",
  "restarts are not recorded",
  "who was removed comes back",
  "nobody is killed after the deadline"
]

describe("simulated lives", () => {
  it("keep every rule, and come to all that is difficult", async () => {
    const program = path.join(folder, "lives.mjs")
    await Bundle.make(program)
    const { broken, lived, reached } = await Workers.live(program, { from: 1, seeds })
    for (const [seed, violations] of broken) {
      assert.deepStrictEqual(violations, [], `npm run sim -- --seed ${seed}`)
    }
    assert.strictEqual(lived, seeds)
    if (seeds >= 1500) assert.deepStrictEqual(Coverage.never(reached, "quick"), [])
  }, 600_000)

  it("are the same whenever a seed is lived again", () => {
    for (const seed of [2, 3, 5, 8, 13]) {
      assert.strictEqual(Lived.live(Plan.of(seed)).hash, Lived.live(Plan.of(seed)).hash, `seed ${seed}`)
    }
  })
})

describe("a rule of the source that is broken", () => {
  it("is one that the source has", () => {
    assert.deepStrictEqual(Mutations.all.flatMap(Mutations.editsOf).filter((edit) => !Bundle.fits(edit)), [])
  })

  for (const name of quick) {
    it(`is noticed: ${name}`, async () => {
      const mutant = Mutations.all.find((one) => one.name === name)
      assert(mutant !== undefined)
      const program = path.join(folder, `${Mutations.all.indexOf(mutant)}.mjs`)
      await Bundle.make(program, Mutations.editsOf(mutant))
      const { broken } = await Workers.live(program, { from: 1, seeds: 100, processes: 1 })
      assert.isAbove(broken.size, 0)
    }, 120_000)
  }
})
