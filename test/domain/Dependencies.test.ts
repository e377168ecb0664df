import { assert, describe, it } from "@effect/vitest"
import { findCycle, type Graph, waves } from "../../src/domain/Dependencies.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

/** Whether a name reaches another by one dependency after the other: by following all of them until nothing is new. */
const reaches = (graph: Graph<string>, from: string, to: string): boolean => {
  const found = new Set(graph.get(from) ?? [])
  for (const name of found) for (const next of graph.get(name) ?? []) found.add(next)
  return found.has(to)
}

const runs = { fastCheck: { numRuns: 1000 } }

describe("findCycle", () => {
  it.prop("finds one if there is one, and a real one", [Arbitraries.anyDependencies()], ([graph]) => {
    const cycle = findCycle(graph)
    const hasCycle = [...graph.keys()].some((name) => reaches(graph, name, name))
    assert.strictEqual(cycle !== undefined, hasCycle)
    if (cycle === undefined) return
    assert.isAtLeast(cycle.length, 2)
    assert.strictEqual(cycle[0], cycle.at(-1))
    for (const [index, name] of cycle.slice(1).entries()) assert.isTrue(graph.get(cycle[index]!)?.includes(name))
    assert.strictEqual(new Set(cycle).size, cycle.length - 1)
  }, runs)

  it.prop("finds none exactly where every name has its wave", [Arbitraries.anyDependencies()], ([graph]) => {
    assert.strictEqual(findCycle(graph) === undefined, waves(graph).flat().length === graph.size)
  }, runs)
})

describe("waves", () => {
  it.prop("have each name once, after all it depends on", [Arbitraries.dependencies()], ([graph]) => {
    const order = waves(graph)
    assert.sameMembers(order.flat(), [...graph.keys()])
    const placed = new Set<string>()
    for (const wave of order) {
      assert.isNotEmpty(wave)
      for (const name of wave) for (const dependency of graph.get(name)!) assert.isTrue(placed.has(dependency))
      for (const name of wave) placed.add(name)
    }
  }, runs)

  it.prop("are each in the graph's own order", [Arbitraries.dependencies()], ([graph]) => {
    for (const wave of waves(graph)) {
      assert.deepStrictEqual(wave, [...graph.keys()].filter((name) => wave.includes(name)))
    }
  })

  it.prop("are as few as the longest chain allows", [Arbitraries.dependencies()], ([graph]) => {
    const length = (name: string): number => 1 + Math.max(0, ...(graph as Graph<string>).get(name)!.map(length))
    assert.strictEqual(waves(graph).length, Math.max(0, ...[...graph.keys()].map(length)))
  }, runs)

  it.prop("leave out who waits for a cycle, and nobody else", [Arbitraries.anyDependencies()], ([graph]) => {
    const placed = new Set(waves(graph).flat())
    const known = new Map([...graph].map(([name, all]) => [name, all.filter((one) => graph.has(one))]))
    for (const name of graph.keys()) {
      const waits = [...graph.keys()].some((other) =>
        reaches(known, other, other) && (name === other || reaches(known, name, other))
      )
      assert.strictEqual(placed.has(name), !waits, name)
    }
  }, runs)
})

describe("ten thousand services", () => {
  const size = 10_000
  const name = (index: number) => `s${index}`
  const chain = (last: ReadonlyArray<string>) =>
    new Map(Array.from({ length: size }, (_, index) => [name(index), index + 1 < size ? [name(index + 1)] : last]))

  it("in one chain are ordered", () => {
    const order = waves(chain([]))
    assert.strictEqual(order.length, size)
    assert.deepStrictEqual(order[0], [name(size - 1)])
    assert.isUndefined(findCycle(chain([])))
  })

  it("in one circle are found out", () => {
    assert.strictEqual(findCycle(chain([name(0)]))?.length, size + 1)
    assert.isEmpty(waves(chain([name(0)])))
  })
})
