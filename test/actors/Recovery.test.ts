import { assert, describe, it } from "@effect/vitest"
import * as SimulatedTree from "../../src/testkit/SimulatedTree.ts"
import { begin, House } from "./House.ts"
import { config, group, named, service } from "./Machine.ts"

/** Two services whose fates are tied: one round is borne within ten seconds. */
const shop = config(
  [service("a", { backoffBaseMs: 100 }), service("b", { backoffBaseMs: 100 })],
  [group("shop", "one-for-all", ["a", "b"], { maxRestarts: 1, restartWindowMs: 10_000 })]
)

describe("a group after the supervisor was killed", () => {
  it("remembers the rounds that it made", () => {
    const tree = new SimulatedTree.SimulatedTree(shop)
    tree.crash("b")
    tree.pass(500)
    assert.deepStrictEqual(tree.states("a", "b"), ["running", "running"])
    tree.kill()
    tree.crash("b")
    tree.pass(500)
    assert.deepStrictEqual(tree.states("a", "b"), ["failed", "failed"])
  })

  it("forgets those that are out of its window, and all of them when a person lifts its failure", () => {
    const tree = new SimulatedTree.SimulatedTree(shop)
    tree.crash("b")
    tree.pass(10_500)
    tree.kill()
    tree.crash("a")
    tree.pass(500)
    assert.deepStrictEqual(tree.states("a", "b"), ["running", "running"])
    tree.kill()
    tree.crash("a")
    tree.pass(500)
    assert.deepStrictEqual(tree.states("a", "b"), ["failed", "failed"])
    for (const { name } of tree.do(tree.tenement.list)) tree.do(tree.tenement.start(name))
    tree.kill()
    tree.crash("a")
    tree.pass(500)
    assert.deepStrictEqual(tree.states("a", "b"), ["running", "running"])
  })
})

describe("a launch that was called off too late", () => {
  it("is stopped politely, at whatever moment the supervisor is killed", () => {
    for (let steps = 0; steps < 60; steps++) {
      const tree: SimulatedTree.SimulatedTree = new SimulatedTree.SimulatedTree(config([service("a")]), {
        mayKill: ({ signals, startTime }) => {
          const isKnown = tree.machine.store.mentions(`"startTime":"${startTime}","endpoint"`)
          return isKnown && signals.length === 0 ? `after ${steps} steps it was killed unasked` : null
        }
      })
      tree.do(tree.tenement.stop(named("a")))
      tree.machine.store.syncMs = 1
      for (let count = 0; count < 3; count++) tree.fork(tree.tenement.restart(named("a")))
      tree.pass(1)
      tree.simulation.edge(1)
      tree.simulation.steps(steps)
      tree.kill()
      tree.pass(10_000)
      assert.deepStrictEqual(tree.machine.violations, [])
      assert.deepStrictEqual(tree.states("a"), ["running"])
    }
  })
})

describe("what no file has any more", () => {
  it("is asked to stop if it was waiting for its requests when the supervisor was killed", () => {
    const tree = new House(config([service("a"), service("b")]))
    begin(tree, "b")
    tree.fork(tree.tenement.reload(config([service("a")]), { dryRun: false }))
    tree.pass(10)
    const b = tree.machine.living.find(({ instance }) => instance === named("b"))
    assert.deepStrictEqual(b?.signals, [])
    tree.kill(config([service("a")]))
    tree.pass(10)
    assert.deepStrictEqual(b?.signals, ["SIGTERM"])
    assert.isFalse(b?.alive)
    tree.close()
  })

  it("has its time to stop, also when the supervisor goes down meanwhile", () => {
    const tree = new SimulatedTree.SimulatedTree(config([service("a"), service("b")]))
    tree.machine.of("b").ignoresTerm = true
    tree.kill(config([service("a")]))
    tree.pass(100)
    const closed = tree.close()
    tree.pass(9000)
    assert.deepStrictEqual(tree.machine.living.map(({ instance }) => instance), [named("b")])
    assert.isNull(closed.unsafePoll())
    tree.pass(1000)
    assert.lengthOf(tree.machine.living, 0)
    assert.isNotNull(closed.unsafePoll())
  })
})
