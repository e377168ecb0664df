import { afterEach, assert, describe, it } from "@effect/vitest"
import { InstanceId, ServiceName } from "../../src/domain/Names.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import { clear, House } from "./House.ts"
import { config, group, named, on, service } from "./Machine.ts"

afterEach(clear)

const names = ["a", "b", "c"]

/** Three services in a group, all of them up. */
const shop = (
  strategy: Strategy,
  options: { readonly group?: object; readonly a?: object; readonly b?: object; readonly c?: object } = {}
) => {
  const { a, b, c } = options
  const services = [service("a", a), service("b", b), service("c", c), service("apart")]
  return config(services, [group("shop", strategy, names, options.group)])
}

const house = (...given: Parameters<typeof shop>) => {
  const made = new House(shop(...given))
  assert.sameMembers(made.news() as Array<string>, ["start apart", "start a", "start b", "start c"])
  return made
}

describe("one-for-all", () => {
  it("stops the others in reverse order, waits, and starts all in order", () => {
    const it = house("one-for-all")
    it.crash("b")
    assert.deepStrictEqual(it.news(), ["end b", "end c", "end a"])
    it.pass(99)
    assert.deepStrictEqual(it.news(), [])
    it.pass(1)
    assert.deepStrictEqual(it.news(), ["start a", "start b", "start c"])
    assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "running"])
  })

  it("takes two that fail at the same moment for one round", () => {
    const it = house("one-for-all", { group: { maxRestarts: 1 } })
    it.crash("a", "c")
    it.pass(100)
    assert.deepStrictEqual(it.news().slice(3), ["start a", "start b", "start c"])
    it.pass(60_000)
    it.crash("b")
    it.pass(200)
    assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "running"])
  })

  it("begins the round again when a start in it fails", () => {
    const it = house("one-for-all")
    it.machine.of("b").failsToLaunch = true
    it.crash("c")
    it.pass(150)
    assert.deepStrictEqual(it.news(), ["end c", "end b", "end a", "start a", "end a"])
    it.machine.of("b").failsToLaunch = false
    it.pass(10_000)
    assert.deepStrictEqual(it.news(), ["start a", "start b", "start c"])
  })

  it("leaves alone who has been told to stop, and who never restarts", () => {
    const it = house("one-for-all", { c: { restart: "never" } })
    it.do(it.tenement.stop(named("a")))
    it.news()
    it.crash("b")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end b", "end c", "start b"])
    assert.deepStrictEqual(it.states("a", "b", "c"), ["stopped", "running", "stopped"])
  })

  it("is not concerned when a member that never restarts fails", () => {
    const it = house("one-for-all", { c: { restart: "never" } })
    it.crash("c")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end c"])
    assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "failed"])
  })

  it("counts what a person asks for in no round", () => {
    const it = house("one-for-all", { group: { maxRestarts: 0 } })
    for (const name of names) it.do(it.tenement.restart(named(name)))
    it.do(it.tenement.stop(named("a")))
    it.do(it.tenement.start(named("a")))
    assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "running"])
  })
})

describe("rest-for-one", () => {
  it("reaches who comes after the one that failed", () => {
    const it = house("rest-for-one")
    it.crash("b")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end b", "end c", "start b", "start c"])
    it.crash("c")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end c", "start c"])
    it.crash("a")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end a", "end c", "end b", "start a", "start b", "start c"])
  })
})

describe("one-for-one", () => {
  it("reaches nobody but the one that failed", () => {
    const it = house("one-for-one")
    it.crash("b")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end b", "start b"])
  })

  it("lets each wait for its own delay alone", () => {
    const it = house("one-for-one", { a: { backoffBaseMs: 50_000, backoffMaxMs: 50_000 } })
    it.crash("a")
    it.crash("b")
    it.pass(100)
    assert.deepStrictEqual(it.news(), ["end a", "end b", "start b"])
    it.machine.of("a").getsReady = false
    it.pass(50_000)
    it.crash("b")
    it.pass(200)
    assert.deepStrictEqual(it.news(), ["start a", "end b", "start b"])
  })

  it("reaches no other instance of the same service", () => {
    const it = house("one-for-one")
    it.do(it.tenement.spawn(ServiceName.make("b"), InstanceId.make("two")))
    it.news()
    it.crash("b:two")
    it.pass(100)
    assert.deepStrictEqual(it.news(), ["end b:two", "start b:two"])
    it.crash("b", "b:two")
    it.pass(400)
    assert.deepStrictEqual(it.news().slice(2).toSorted(), ["start b", "start b:two"])
  })
})

describe("a group that comes up", () => {
  it("starts its members in order, each when the one before is ready", () => {
    const it = new House(shop("one-for-all"), { before: (machine) => (machine.of("a").getsReady = false) })
    assert.sameMembers(it.news() as Array<string>, ["start apart", "start a"])
    it.machine.of("a").getsReady = true
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["start b", "start c"])
  })

  for (const strategy of ["one-for-all", "rest-for-one", "one-for-one"] as const) {
    it(`starts all of them, also when one fails while others are still to come (${strategy})`, () => {
      const it = new House(shop(strategy), { before: (machine) => (machine.of("b").getsReady = false) })
      it.crash("a")
      it.machine.of("b").getsReady = true
      it.pass(10_000)
      assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "running"])
    })
  }

  it("does not wait for what a member waits for outside of it", () => {
    const stuck = service("a", { dependsOn: on("apart") })
    const it = new House(
      config([stuck, service("b"), service("apart", { instances: [] })], [group("shop", "one-for-all", ["a", "b"])])
    )
    it.do(it.tenement.spawn(ServiceName.make("apart"), InstanceId.make("default")))
    it.do(it.tenement.stop(named("apart")))
    it.do(it.tenement.restart(named("b")))
    assert.deepStrictEqual(it.states("b"), ["running"])
  })
})

describe("a group that gives up", () => {
  it.each(["one-for-all", "rest-for-one", "one-for-one"] as const)("fails as a whole (%s)", (strategy) => {
    const it = house(strategy, { group: { maxRestarts: 1 } })
    it.crash("b")
    it.pass(1000)
    it.crash("b")
    it.pass(1000)
    assert.deepStrictEqual(it.states("a", "b", "c", "apart"), ["failed", "failed", "failed", "running"])
    assert.strictEqual(it.machine.living.length, 1)
    it.pass(3_600_000)
    assert.deepStrictEqual(it.states("a", "b", "c"), ["failed", "failed", "failed"])
  })

  it("watches again once a person started a member, and the others can follow", () => {
    const it = house("one-for-all", { group: { maxRestarts: 0 } })
    it.crash("b")
    it.do(it.tenement.start(named("b")))
    assert.deepStrictEqual(it.states("a", "b", "c"), ["failed", "running", "failed"])
    it.do(it.tenement.start(named("a")))
    it.crash("a")
    it.pass(1000)
    assert.deepStrictEqual(it.states("a", "b", "c"), ["failed", "failed", "failed"])
  })

  it("misses no failure that comes at once after it was lifted", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const it = new House(shop("one-for-all", { group: { maxRestarts: 1, restartWindowMs: 1000 } }), { seed })
      it.crash("b")
      it.pass(100)
      it.crash("b")
      assert.strictEqual(it.look("b").state, "failed")
      it.machine.of("b").failsToLaunch = true
      it.fork(it.tenement.start(named("b")))
      it.simulation.settle()
      it.machine.of("b").failsToLaunch = false
      it.pass(60_000)
      assert.notStrictEqual(it.look("b").state, "backoff", `seed ${seed}`)
    }
  })
})

describe("a shutdown", () => {
  it.each(["one-for-all", "rest-for-one", "one-for-one"] as const)("during a round starts nobody (%s)", (strategy) => {
    for (const afterMs of [0, 50, 100]) {
      const it = house(strategy)
      it.machine.of("c").ignoresTerm = true
      it.crash("b")
      it.pass(afterMs)
      it.news()
      const closed = it.close()
      it.pass(60_000)
      assert.isNotNull(closed.unsafePoll())
      assert.isEmpty(it.machine.living)
      assert.isTrue(it.news().every((line) => line.startsWith("end")))
      assert.isTrue(it.simulation.isIdle)
    }
  })
})

it("a member that is told to start while its group stops it does not come up in a shutdown", () => {
  const it = house("one-for-all")
  it.machine.of("c").ignoresTerm = true
  it.crash("b")
  it.fork(it.tenement.start(named("c")))
  it.simulation.settle()
  it.news()
  const closed = it.close()
  it.pass(60_000)
  assert.isNotNull(closed.unsafePoll())
  assert.isTrue(it.news().every((line) => line.startsWith("end")))
})

describe("a reload", () => {
  it.each(["one-for-all", "rest-for-one", "one-for-one"] as const)(
    "during a round leaves nobody behind (%s)",
    (strategy) => {
      for (
        const next of [
          shop(strategy, { group: { maxRestarts: 7 } }),
          config(["a", "b", "c", "apart"].map((name) => service(name)))
        ]
      ) {
        for (const afterMs of [0, 50]) {
          const it = house(strategy)
          it.crash("b")
          it.pass(afterMs)
          const reloaded = it.fork(it.tenement.reload(next, { dryRun: false }))
          it.pass(10_000)
          assert.isNotNull(reloaded.unsafePoll())
          assert.deepStrictEqual(it.states("a", "b", "c"), ["running", "running", "running"])
          assert.strictEqual(it.machine.living.length, 4)
        }
      }
    }
  )

  it("that ties services together has the group wait for all of them: nobody's own delay starts it alone", () => {
    const members = [service("a"), service("b", { backoffBaseMs: 100 }), service("c", { backoffBaseMs: 1000 })]
    const it = new House(config(members))
    it.crash("b", "c")
    it.do(it.tenement.reload(config(members, [group("shop", "one-for-all", ["a", "b", "c"])]), { dryRun: false }))
    it.news()
    it.pass(999)
    assert.deepStrictEqual(it.news(), [])
    it.pass(1)
    assert.deepStrictEqual(it.news(), ["start a", "start b", "start c"])
  })

  it("that ties services together or apart touches no process", () => {
    const apart = config(["a", "b", "c", "apart"].map((name) => service(name)))
    const it = house("one-for-all")
    it.do(it.tenement.reload(apart, { dryRun: false }))
    it.do(it.tenement.reload(shop("one-for-all"), { dryRun: false }))
    assert.deepStrictEqual(it.news(), [])
    it.crash("b")
    it.pass(1000)
    assert.deepStrictEqual(it.news(), ["end b", "end c", "end a", "start a", "start b", "start c"])
  })
})
