import { afterEach, assert, describe, it } from "@effect/vitest"
import { ended } from "../../src/testkit/Simulation.ts"
import { begin, clear, House } from "./House.ts"
import { config, named, service } from "./Machine.ts"

const web = service("web", { drainTimeoutMs: 5000 })

const ask = (tree: House, verb: "stop" | "restart") => tree.fork(tree.tenement[verb](named("web")))

const signals = (tree: House) => tree.machine.children.flatMap(({ signals }) => signals)

afterEach(clear)

describe("a planned end", () => {
  it("waits for the requests that there are, and takes no others", () => {
    const tree = new House(config([web]))
    const first = begin(tree, "web")
    const second = begin(tree, "web")
    const restarted = ask(tree, "restart")
    tree.pass(1000)
    assert.strictEqual(tree.look("web").state, "stopping")
    assert.throws(() => begin(tree, "web"), "takes no requests")
    first()
    tree.pass(1000)
    assert.deepStrictEqual(signals(tree), [])
    second()
    tree.pass(100)
    assert.strictEqual(tree.look("web").state, "running")
    ended(restarted)
    assert.include(signals(tree), "SIGTERM")
  })

  it("waits no longer than it may, and says how many were left", () => {
    const tree = new House(config([web]))
    const end = begin(tree, "web")
    ask(tree, "stop")
    tree.pass(4999)
    assert.deepStrictEqual(signals(tree), [])
    tree.pass(101)
    assert.strictEqual(tree.look("web").state, "stopped")
    const { history } = tree.do(tree.tenement.describe(named("web")))
    const drained = history.find(({ cause }) => cause._tag === "Drained")?.cause
    assert.deepInclude({ ...drained }, { left: 1 })
    end()
  })

  it("is at once where nothing is open, and where the supervisor ends", () => {
    const tree = new House(config([web]))
    ask(tree, "restart")
    tree.pass(100)
    assert.strictEqual(tree.look("web").state, "running")
    begin(tree, "web")
    ask(tree, "stop")
    tree.pass(100)
    assert.strictEqual(tree.look("web").state, "stopping")
    const closed = tree.close()
    tree.pass(1000)
    ended(closed)
    assert.lengthOf(tree.machine.living, 0)
  })

  it("follows a start that is asked for meanwhile, and is over when its process ends by itself", () => {
    const tree = new House(config([web]))
    begin(tree, "web")
    ask(tree, "stop")
    tree.pass(100)
    tree.fork(tree.tenement.start(named("web")))
    tree.crash("web")
    tree.pass(100)
    assert.strictEqual(tree.look("web").state, "running")
    assert.strictEqual(tree.look("web").restarts, 0)
  })

  it("goes on under another supervisor, which has none of the requests", () => {
    const tree = new House(config([web]))
    begin(tree, "web")
    ask(tree, "restart")
    tree.pass(100)
    const [child] = tree.machine.living
    tree.kill()
    tree.pass(100)
    assert.strictEqual(tree.look("web").state, "running")
    assert.notInclude(tree.machine.living, child)
    assert.lengthOf(tree.machine.living, 1)
  })
})
