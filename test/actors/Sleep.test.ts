import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Arrivals from "../../src/actors/Arrivals.ts"
import type { SimulatedTree } from "../../src/testkit/SimulatedTree.ts"
import { ended } from "../../src/testkit/Simulation.ts"
import { begin, clear, House } from "./House.ts"
import { config, named, on, service } from "./Machine.ts"

const idle = { idleTimeoutMs: 5000, readiness: "socket" } as const

const starts = (tree: SimulatedTree, name: string) => tree.news().filter((line) => line === `start ${name}`).length

const arrive = (tree: SimulatedTree, name: string) => tree.fork(tree.tenement.traffic.arrive(named(name)))

afterEach(clear)

describe("an instance that is not used", () => {
  it("sleeps when its time is over, and not while a request is open", () => {
    const tree = new House(config([service("web", idle), service("other")]))
    tree.pass(4000)
    const end = begin(tree, "web")
    tree.pass(60_000)
    assert.deepStrictEqual(tree.states("web", "other"), ["running", "running"])
    end()
    tree.pass(4999)
    assert.strictEqual(tree.look("web").state, "running")
    tree.pass(1)
    assert.deepStrictEqual(tree.states("web", "other"), ["sleeping", "running"])
    assert.strictEqual(tree.look("web").restarts, 0)
  })

  it("stays up for who is connected by another way, and not for who is so for a moment", () => {
    const tree = new House(config([service("web", idle)]))
    tree.machine.of("web").connections = 1
    tree.pass(60_000)
    assert.strictEqual(tree.look("web").state, "running")
    tree.machine.of("web").connections = 0
    tree.pass(6100)
    assert.strictEqual(tree.look("web").state, "sleeping")
  })

  it("is started once for all who wait, and turns away whom it has no room for", () => {
    const tree = new House(config([service("web", idle)]))
    tree.pass(5000)
    tree.news()
    tree.machine.of("web").launchMs = 100
    const fibers = Array.from({ length: Arrivals.most + 3 }, () => arrive(tree, "web"))
    tree.pass(200)
    const told = fibers.map((fiber) => ended(fiber)._tag)
    assert.strictEqual(told.filter((tag) => tag === "Served").length, Arrivals.most)
    assert.strictEqual(told.filter((tag) => tag === "TurnedAway").length, 3)
    assert.strictEqual(starts(tree, "web"), 1)
  })

  it("gives the place of who leaves to another", () => {
    const tree = new House(config([service("web", idle)]))
    tree.pass(5000)
    tree.machine.of("web").launchMs = 100
    const fibers = Array.from({ length: Arrivals.most }, () => arrive(tree, "web"))
    tree.simulation.settle()
    tree.do(Effect.sync(() => fibers[0]?.unsafeInterruptAsFork(fibers[0].id())))
    const late = arrive(tree, "web")
    tree.pass(200)
    assert.strictEqual(ended(late)._tag, "Served")
  })

  it("tells those who wait why it does not come, and lets nobody wait longer than it may take", () => {
    const tree = new House(config([service("web", idle), service("slow", idle)]))
    tree.pass(5000)
    tree.machine.of("web").failsToLaunch = true
    tree.machine.of("slow").getsReady = false
    const [failed, late] = [arrive(tree, "web"), arrive(tree, "slow")]
    tree.pass(10)
    const told = ended(failed)
    assert.isTrue(told._tag === "TurnedAway" && told.reason.includes("could not be started"))
    tree.pass(5100)
    assert.strictEqual(ended(late)._tag, "TurnedAway")
  })

  it("is woken where it was about to sleep", () => {
    const tree = new House(config([service("web", idle)]))
    tree.machine.of("web").stopMs = 500
    tree.pass(5100)
    assert.strictEqual(tree.look("web").state, "stopping")
    const fiber = arrive(tree, "web")
    tree.pass(500)
    assert.strictEqual(ended(fiber)._tag, "Served")
    assert.strictEqual(tree.look("web").state, "running")
  })

  it("sleeps on through the death of the supervisor and the loss of power, until its file has no sleep", () => {
    const tree = new House(config([service("web", idle)]))
    tree.pass(5000)
    tree.kill()
    assert.strictEqual(tree.look("web").state, "sleeping")
    tree.kill(config([service("web")]))
    assert.strictEqual(tree.look("web").state, "running")
  })

  it("stays stopped if the power goes, or the supervisor is killed, as soon as a person was told that it is", () => {
    for (const isPower of [true, false]) {
      const tree = new House(config([service("web", idle)]))
      tree.pass(5010)
      tree.machine.store.syncMs = 30
      const stopped = tree.fork(tree.tenement.stop(named("web")))
      tree.simulation.advance(1000, () => stopped.unsafePoll() !== null)
      ended(stopped)
      if (isPower) tree.machine.losePower(null)
      tree.kill()
      tree.pass(100)
      assert.strictEqual(tree.look("web").state, "stopped")
      tree.close()
    }
  })

  it("keeps its cgroup for the next run, and lets it go when it is stopped", () => {
    const tree = new House(config([service("web", idle)]))
    tree.machine.cgroups.exist = true
    const count = () => tree.machine.held.cgroups
    tree.pass(5010)
    assert.deepStrictEqual([tree.look("web").state, count()], ["sleeping", 1])
    const fiber = arrive(tree, "web")
    tree.pass(10)
    assert.strictEqual(ended(fiber)._tag, "Served")
    assert.strictEqual(count(), 1)
    tree.pass(5010)
    assert.deepStrictEqual([tree.look("web").state, count()], ["sleeping", 1])
    tree.do(tree.tenement.stop(named("web")))
    assert.strictEqual(count(), 0)
  })

  it("is started once where it is woken while that is being made ready", () => {
    const tree = new House(config([service("web", idle)]))
    tree.machine.cgroups.exist = true
    tree.pass(5000)
    const fiber = arrive(tree, "web")
    tree.pass(10)
    assert.strictEqual(ended(fiber)._tag, "Served")
    assert.strictEqual(tree.machine.held.cgroups, 1)
  })

  it("wakes for who depends on it", () => {
    const tree = new House(config([service("db", idle), service("web", { dependsOn: on("db") })]))
    tree.pass(5000)
    assert.deepStrictEqual(tree.states("db", "web"), ["sleeping", "running"])
    const restarted = tree.fork(tree.tenement.restart(named("web")))
    tree.pass(10)
    ended(restarted)
    assert.deepStrictEqual(tree.states("db", "web"), ["running", "running"])
  })

  it("is not woken for who waits for another one that is stopped, before that is started", () => {
    const tree = new House(
      config([service("db", idle), service("other"), service("web", { dependsOn: on("db", "other") })])
    )
    tree.pass(5010)
    tree.do(tree.tenement.stop(named("other")))
    tree.do(tree.tenement.stop(named("web")))
    tree.news()
    tree.fork(tree.tenement.start(named("web")))
    tree.pass(60_000)
    assert.deepStrictEqual(tree.states("db", "web"), ["sleeping", "starting"])
    assert.strictEqual(starts(tree, "db"), 0)
    tree.fork(tree.tenement.start(named("other")))
    tree.pass(100)
    assert.deepStrictEqual(tree.states("db", "web"), ["running", "running"])
  })

  it("is not started by a request after a person has stopped it", () => {
    const tree = new House(config([service("web", idle)]))
    tree.pass(5010)
    tree.do(tree.tenement.stop(named("web")))
    tree.news()
    const fiber = arrive(tree, "web")
    tree.pass(100)
    assert.strictEqual(ended(fiber)._tag, "TurnedAway")
    assert.strictEqual(starts(tree, "web"), 0)
  })
})
