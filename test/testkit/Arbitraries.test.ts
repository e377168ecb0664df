import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { findCycle } from "../../src/domain/Dependencies.ts"
import { ExitReason, ExitStatus, isSuccess } from "../../src/domain/Exit.ts"
import { Transition } from "../../src/domain/Views.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

const seen = <A>(arbitrary: FC.Arbitrary<A>) => FC.sample(arbitrary, { numRuns: 500, seed: 11 })

describe("ends", () => {
  it.prop("are what the domain says they are", [Arbitraries.runEnd], ([end]) => {
    assert.isTrue(Schema.is(ExitStatus)(end.status))
    if (end.reason === "exited") assert.isNotNull(end.status.code)
    if (end.reason === "signaled") assert.isNotNull(end.status.signal)
    if (end.reason === "unknown") assert.deepStrictEqual(end.status, { code: null, signal: null })
  })

  it("are of every kind", () => {
    assert.sameMembers([...new Set(seen(Arbitraries.runEnd).map(({ reason }) => reason))], [...ExitReason.literals])
    assert.isTrue(seen(Arbitraries.runEnd).some(isSuccess))
    assert.isFalse(seen(Arbitraries.failure).some(isSuccess))
  })
})

describe("histories", () => {
  it("of health have spells that go over any limit", () => {
    const longest = (healthy: boolean) =>
      Math.max(
        ...seen(Arbitraries.health()).map((probes) => {
          let row = 0
          return Math.max(0, ...probes.map((probe) => row = probe.healthy === healthy ? row + 1 : 0))
        })
      )
    assert.isAtLeast(longest(true), 5)
    assert.isAtLeast(longest(false), 5)
  })

  it("of crashes and restarts are as long as they are asked to be", () => {
    for (const crashes of seen(Arbitraries.crashes({ maxLength: 4 }))) assert.isAtMost(crashes.length, 4)
    const rows = seen(Arbitraries.restarts({ inARow: 30 }))
    assert.isTrue(rows.some((row) => row.length > 30 && row.every(({ wasStable }) => !wasStable)))
    assert.isTrue(rows.some((row) => row.some(({ wasStable }) => wasStable)))
  })
})

describe("graphs", () => {
  it.prop("have no cycle, or are of any kind", [Arbitraries.dependencies()], ([graph]) => {
    assert.isUndefined(findCycle(graph))
    for (const names of graph.values()) for (const name of names) assert.isTrue(graph.has(name))
  })

  it("of any kind have cycles sometimes", () => {
    const cycles = seen(Arbitraries.anyDependencies()).map(findCycle)
    assert.isTrue(cycles.some((cycle) => cycle === undefined))
    assert.isTrue(cycles.some((cycle) => cycle?.length === 2))
    assert.isTrue(cycles.some((cycle) => (cycle?.length ?? 0) > 3))
  })
})

describe("configurations", () => {
  it.prop("are whole", [Arbitraries.config()], ([config]) => {
    assert.isAtLeast(config.services.size, 1)
    for (const [name, service] of config.services) {
      assert.strictEqual(service.name, name)
      assert.isNotEmpty(service.argv)
      for (const dependency of service.dependsOn) assert.isTrue(config.services.has(dependency))
    }
  })
})

it("what the domain says of itself is enough for the rest", () => {
  const is = Schema.is(Transition)
  for (const event of FC.sample(Arbitrary.make(Transition), 100)) assert.isTrue(is(event))
})
