import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { parts } from "../../src/domain/Names.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"
import { usual } from "../../src/testkit/Machine.ts"
import { ended } from "../../src/testkit/Simulation.ts"
import { aside, clear, House } from "./House.ts"
import { config, group, named, on, service } from "./Machine.ts"

afterEach(clear)

// ---------------------------------------------------------------------------------------------------------------------
// Any history
// ---------------------------------------------------------------------------------------------------------------------

/** Configurations that a reload goes back and forth between. `b` and `g` come and go. */
const variants = (strategy: Strategy): ReadonlyArray<TenementConfig> => {
  const a = service("a")
  const b = service("b", { dependsOn: on("a"), health: "/health", stopTimeoutMs: 0 })
  const members = (options: Partial<ServiceConfig> = {}) => ["c", "d", "e"].map((name) => service(name, options))
  const f = service("f", { restart: "always", maxRestarts: 1, startupTimeoutMs: 700 })
  const shop = (kind: Strategy, maxRestarts = 3) => group("shop", kind, ["c", "d", "e"], { maxRestarts })
  return [
    config([a, b, ...members(), f], [shop(strategy)]),
    config([service("a", { env: { NEW: "1" } }), b, ...members({ stopTimeoutMs: 50 }), f], [shop("one-for-all", 1)]),
    config([a, service("g"), ...members({ env: { NEW: "2" } }), service("f", { restart: "never" })]),
    config([a, b, ...members(), service("f", { health: "/health", maxRestarts: Infinity })], [shop("rest-for-one")])
  ]
}
const comesAndGoes = (service: string) => service === "b" || service === "g"

const instance = FC.constantFrom("a", "a:two", "b", "c", "c:two", "d", "e", "f", "g")
const aService = FC.constantFrom("a", "b", "c", "d", "e", "f", "g")
const action = FC.oneof(
  {
    weight: 6,
    arbitrary: FC.record({ verb: FC.constantFrom("start" as const, "stop" as const, "restart" as const), instance })
  },
  { weight: 1, arbitrary: FC.record({ verb: FC.constant("remove" as const), instance }) },
  { weight: 2, arbitrary: FC.record({ verb: FC.constant("spawn" as const), instance }) },
  { weight: 2, arbitrary: FC.record({ verb: FC.constant("reload" as const), variant: FC.nat(3) }) },
  {
    weight: 8,
    arbitrary: FC.record({ verb: FC.constant("crash" as const), instance, code: FC.constantFrom(0, 1, 1) })
  },
  {
    weight: 6,
    arbitrary: FC.record({
      verb: FC.constant("behave" as const),
      service: aService,
      behaviour: FC.oneof(
        FC.record({ ignoresTerm: FC.boolean() }),
        FC.record({ failsToLaunch: FC.boolean() }),
        FC.record({ getsReady: FC.boolean() }),
        FC.record({ healthy: FC.boolean() }),
        FC.record({
          broken: FC.constantFrom(null, "health" as const, "readiness" as const, "prepare" as const, "backoff" as const)
        }),
        FC.record({ actorDies: FC.boolean() }),
        FC.record({ launchMs: FC.constantFrom(0, 1, 20) }),
        FC.record({ stopMs: FC.constantFrom(0, 1, 60, 300) })
      )
    })
  }
)
const history = FC.array(FC.record({ afterMs: FC.constantFrom(0, 0, 1, 10, 100, 700, 5000), action }), {
  maxLength: 40
})
type Value<A> = A extends FC.Arbitrary<infer T> ? T : never
type Action = Value<typeof action>
type Happening = Value<typeof history>[number]

type Wish = "running" | "stopped"

class Life {
  readonly house: House
  private readonly calls: Array<readonly [string, Fiber.RuntimeFiber<unknown, unknown>]> = []
  /** What a person wanted last, where that is still known. */
  readonly wishes = new Map<string, Wish>()
  private readonly variants: ReadonlyArray<TenementConfig>

  constructor(strategy: Strategy, seed: number) {
    this.variants = variants(strategy)
    this.house = new House(this.variants[0]!, { seed })
  }

  private call(what: string, effect: Effect.Effect<unknown, unknown>): void {
    this.calls.push([what, this.house.fork(effect)])
    this.house.simulation.settle()
  }

  private wish(instance: string, wish: Wish): void {
    // What a reload brings along, it starts when it comes to it.
    const isComing = comesAndGoes(instance) && this.unanswered.some((what) => what.startsWith("reload"))
    if (isComing) this.wishes.delete(named(instance))
    else this.wishes.set(named(instance), wish)
  }

  perform(action: Action): void {
    const { machine, tenement } = this.house
    switch (action.verb) {
      case "start":
      case "stop":
      case "restart":
        this.wish(action.instance, action.verb === "stop" ? "stopped" : "running")
        return this.call(`${action.verb} ${action.instance}`, tenement[action.verb](named(action.instance)))
      case "remove":
        this.wishes.delete(named(action.instance))
        return this.call(`rm ${action.instance}`, tenement.remove(named(action.instance), { data: false }))
      case "spawn": {
        const { id, service } = parts(named(action.instance))
        this.wishes.delete(named(action.instance))
        return this.call(`spawn ${action.instance}`, tenement.spawn(service, id))
      }
      case "reload":
        for (const name of this.wishes.keys()) if (comesAndGoes(name.split(":")[0]!)) this.wishes.delete(name)
        return this.call(`reload ${action.variant}`, tenement.reload(this.variants[action.variant]!, { dryRun: false }))
      case "crash": {
        const child = machine.living.find(({ instance }) => instance === named(action.instance))
        if (child !== undefined) this.house.fork(child.exit({ code: action.code }))
        return this.house.simulation.settle()
      }
      case "behave":
        Object.assign(machine.of(action.service), action.behaviour)
    }
  }

  /** From now on nothing goes wrong any more. */
  heal(): void {
    for (const name of ["a", "b", "c", "d", "e", "f", "g"]) Object.assign(this.house.machine.of(name), usual)
    this.house.pass(60_000)
  }

  /** Calls that nobody has answered. */
  get unanswered(): ReadonlyArray<string> {
    return this.calls.filter(([, fiber]) => fiber.unsafePoll() === null).map(([what]) => what)
  }
}

const live = (strategy: Strategy, made: ReadonlyArray<Happening>, seed: number): Life => {
  const life = new Life(strategy, seed)
  for (const { action, afterMs } of made) {
    life.house.pass(afterMs)
    life.perform(action)
    assert.deepStrictEqual(life.house.machine.violations, [])
  }
  return life
}

const anyHistory = [Arbitraries.strategy, history, FC.nat()] as [
  FC.Arbitrary<Strategy>,
  typeof history,
  FC.Arbitrary<number>
]

describe("a tree under any history", () => {
  it.effect.prop(
    "answers every call, and does what it was told last",
    anyHistory,
    ([strategy, made, seed]) =>
      aside(() => {
        const life = live(strategy, made, seed)
        life.heal()
        assert.deepStrictEqual(life.unanswered, [])
        const { machine, tenement } = life.house
        const views = life.house.do(tenement.list)
        for (const { name, state } of views) {
          const wish = life.wishes.get(name)
          if (wish === "stopped") assert.strictEqual(state, "stopped", name)
          // Whoever gave up or has done its job may rest; whoever waits for others waits on.
          if (wish === "running") assert.include(["running", "healthy", "completed", "failed", "starting"], state, name)
          assert.notStrictEqual(state, "backoff", name)
          if (state === "starting") assert.isNotEmpty(life.house.do(tenement.describe(name)).waitingFor, name)
        }
        assert.deepStrictEqual(machine.violations, [])
        assert.sameMembers(
          machine.living.map(({ pid }) => pid),
          views.flatMap(({ pid }) => pid === null ? [] : [pid])
        )
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect.prop(
    "can be stopped, and started, one after the other",
    anyHistory,
    ([strategy, made, seed]) =>
      aside(() => {
        const life = live(strategy, made, seed)
        life.heal()
        const { machine, tenement } = life.house
        const names = life.house.do(tenement.list).map(({ name }) => name)
        for (const name of names) {
          life.house.do(tenement.stop(name))
          assert.strictEqual(life.house.look(name).state, "stopped")
        }
        assert.isEmpty(machine.living)
        for (const name of names) life.house.fork(tenement.start(name))
        life.house.pass(60_000)
        for (const { name, state } of life.house.do(tenement.list)) assert.include(["running", "healthy"], state, name)
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect.prop("leaves nothing behind when it goes down", anyHistory, ([strategy, made, seed]) =>
    aside(() => {
      const life = live(strategy, made, seed)
      life.house.news()
      const closed = life.house.close()
      life.house.pass(600_000)
      assert.isNotNull(closed.unsafePoll(), "it does not come to its end")
      assert.isEmpty(life.house.machine.living)
      const started = life.house.news().filter((line) => line.startsWith("start"))
      assert.deepStrictEqual(started, [], "it starts something while it goes down")
      assert.deepStrictEqual(life.unanswered, [])
      assert.deepStrictEqual(life.house.machine.violations, [])
      assert.isTrue(life.house.simulation.isIdle, "something is still under way")
    }), { fastCheck: { numRuns: 40 } })

  it.effect.prop("settles where it was told last, however fast it was told", [
    FC.array(FC.constantFrom("start" as const, "stop" as const, "restart" as const), { minLength: 1, maxLength: 8 }),
    FC.nat()
  ], ([verbs, seed]) =>
    aside(() => {
      const house = new House(config([service("a"), service("b", { dependsOn: on("a") })]), { seed })
      const calls = verbs.map((verb) => Effect.exit(house.tenement[verb](named("b"))))
      // One after the other into the mailbox, before the actor comes to the first of them.
      const answered = house.fork(Effect.all(calls, { concurrency: "unbounded" }))
      house.pass(1000)
      assert.isNotNull(answered.unsafePoll(), "somebody got no answer")
      assert.include(["running", "stopped"], house.look("b").state)
      assert.strictEqual(house.machine.living.length, house.look("b").state === "running" ? 2 : 1)
    }), { fastCheck: { numRuns: 50 } })

  it("turns away who comes when too many wait, and still hears its own", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const house = new House(config([service("a")]), { seed })
      house.fork(house.tenement.restart(named("a")))
      const calls = Array.from({ length: 200 }, () => Effect.exit(house.tenement.stop(named("a"))))
      const answered = house.fork(Effect.all(calls, { concurrency: "unbounded" }))
      house.pass(10_000)
      assert.isNotNull(answered.unsafePoll(), "somebody got no answer")
      assert.strictEqual(house.look("a").state, "stopped")
    }
  })
})

describe("a shutdown", () => {
  it("is polite to who has more to do than fits", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const house = new House(config([service("a")]), { seed })
      const child = house.machine.child("a")
      const calls = Array.from({ length: 200 }, () => Effect.exit(house.tenement.start(named("a"))))
      const answered = house.fork(Effect.all(calls, { concurrency: "unbounded" }))
      house.simulation.steps(seed * 20)
      const closed = house.close()
      house.pass(10_000)
      assert.isNotNull(closed.unsafePoll())
      assert.isNotNull(answered.unsafePoll())
      assert.strictEqual(child.signals[0], "SIGTERM", `seed ${seed}`)
    }
  })
})

describe("boot", () => {
  it("is done once, however often and by whomever it is asked for", () => {
    const house = new House(config([service("a"), service("b")], [group("shop", "one-for-all", ["b"])]), {
      boots: false
    })
    assert.deepStrictEqual(house.news(), [])
    house.do(Effect.all([house.tenement.boot, house.tenement.boot], { concurrency: 2 }))
    house.do(house.tenement.boot)
    assert.sameMembers([...house.news()], ["start a", "start b"])
    const closed = house.close()
    house.pass(10_000)
    assert.isNotNull(closed.unsafePoll())
    assert.isEmpty(house.machine.living)
    assert.isTrue(house.simulation.isIdle)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Order
// ---------------------------------------------------------------------------------------------------------------------

const quick: Partial<ServiceConfig> = {
  health: null,
  restart: "on-failure",
  startupTimeoutMs: 60_000,
  stopTimeoutMs: 10_000
}

describe("any graph of dependencies", () => {
  const graph = FC.tuple(Arbitraries.dependencies({ maxSize: 8 }), FC.nat(), FC.array(FC.nat(300), { minLength: 8 }))

  it.effect.prop(
    "comes up from the bottom and goes down from the top",
    [graph],
    ([[graph, seed, delays]]) =>
      aside(() => {
        const services = [...graph].map(([name, dependsOn]) => service(name, { ...quick, dependsOn: [...dependsOn] }))
        const house = new House(config(services), {
          seed,
          before: (machine) =>
            services.forEach(({ name }, index) => {
              machine.of(name).getsReady = delays[index]! < 100
              machine.of(name).launchMs = delays[index]! % 7
              machine.of(name).stopMs = delays[index]! % 11
            })
        })
        for (const [index, { name }] of services.entries()) {
          house.pass(delays[index]!)
          house.machine.of(name).getsReady = true
        }
        house.pass(60_000)
        for (const { name, state } of house.do(house.tenement.list)) assert.strictEqual(state, "running", name)
        const up = house.news()
        const closed = house.close()
        house.pass(60_000)
        assert.isNotNull(closed.unsafePoll())
        const down = house.news()
        assert.strictEqual(up.length, services.length)
        assert.strictEqual(down.length, services.length)
        for (const { dependsOn, name } of services) {
          for (const other of dependsOn) {
            assert.isBelow(up.indexOf(`start ${other}`), up.indexOf(`start ${name}`))
            assert.isBelow(down.indexOf(`end ${name}`), down.indexOf(`end ${other}`))
          }
        }
      }),
    { fastCheck: { numRuns: 50 } }
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Reload
// ---------------------------------------------------------------------------------------------------------------------

type Fate = "same" | "update" | "restart" | "removed" | "added"

describe("a reload", () => {
  const fates = FC.array(FC.constantFrom<Array<Fate>>("same", "update", "restart", "removed", "added"), {
    minLength: 2,
    maxLength: 8
  })

  it.effect.prop("touches what differs, and nothing else", [fates, FC.nat()], ([fates, seed]) =>
    aside(() => {
      const names = fates.map((_, index) => `s${index}`)
      const before = names.filter((_, index) => fates[index] !== "added").map((name) => service(name))
      const after = names.flatMap((name, index) => {
        const fate = fates[index]
        if (fate === "removed") return []
        return [service(name, fate === "restart" ? { env: { NEW: "1" } } : fate === "update" ? { maxRestarts: 9 } : {})]
      })
      const house = new House(config(before), { seed })
      const pids = new Map(house.do(house.tenement.list).map(({ name, pid }) => [name, pid]))
      const { changes } = house.do(house.tenement.reload(config(after), { dryRun: true }))
      house.news()
      house.do(house.tenement.reload(config(after), { dryRun: false }))
      const news = house.news()
      for (const [index, name] of names.entries()) {
        const own = news.filter((line) => line.endsWith(` ${name}`))
        const action = changes.find(({ subject }) => subject === name)?.action
        switch (fates[index]) {
          case "removed":
            assert.deepStrictEqual([own, action], [[`end ${name}`], "stop"])
            break
          case "added":
            assert.deepStrictEqual([own, action], [[`start ${name}`], "start"])
            break
          case "restart":
            assert.deepStrictEqual([own, action], [[`end ${name}`, `start ${name}`], "restart"])
            break
          default:
            assert.deepStrictEqual(own, [])
            assert.strictEqual(house.look(name).pid, pids.get(named(name)))
            assert.strictEqual(action, fates[index] === "update" ? "update" : undefined)
        }
      }
      assert.strictEqual(house.machine.living.length, after.length)
    }), { fastCheck: { numRuns: 50 } })

  it("that brings a new health check holds nothing against it that the old one saw", () => {
    const checked = (health: string, healthRetries: number) =>
      config([service("a", { health, healthRetries, healthIntervalMs: 10 })])
    for (let seed = 1; seed <= 100; seed++) {
      const house = new House(checked("/bad", 1000), { seed })
      house.pass(50)
      // At the same moment as a probe, now and then.
      const reloaded = house.fork(
        Effect.delay(house.tenement.reload(checked("/good", 1), { dryRun: false }), seed % 10)
      )
      house.news()
      house.pass(50)
      assert.deepStrictEqual(ended(reloaded).problems, [])
      assert.deepStrictEqual(house.news(), [], `seed ${seed}`)
      assert.strictEqual(house.look("a").state, "healthy")
    }
  })

  it("is heard by who has more to do than fits, and ends with it", () => {
    const changed = config([service("a", { env: { NEW: "1" } })])
    for (let seed = 1; seed <= 60; seed++) {
      const house = new House(config([service("a")]), { seed })
      house.news()
      const reloaded = house.fork(house.tenement.reload(changed, { dryRun: false }))
      house.simulation.steps(seed)
      const calls = Array.from({ length: 200 }, () => Effect.exit(house.tenement.start(named("a"))))
      const answered = house.fork(Effect.all(calls, { concurrency: "unbounded" }))
      house.pass(10_000)
      assert.isNotNull(answered.unsafePoll())
      assert.deepStrictEqual(ended(reloaded).problems, [])
      assert.deepStrictEqual(house.news(), ["end a", "start a"], `seed ${seed}`)
    }
  })

  it("tells what does not come up by the new file", () => {
    const house = new House(config([service("a")]), { before: (machine) => (machine.of("b").failsToLaunch = true) })
    const both = config([service("a"), service("b", { maxRestarts: 0 })])
    const { problems } = house.do(house.tenement.reload(both, { dryRun: false }))
    assert.lengthOf(problems, 1)
    assert.match(problems[0]!, /^b:default is not ready: it failed/)
  })

  it("is done whole, also when nobody waits for it any more", () => {
    for (let steps = 0; steps < 300; steps += 3) {
      const house = new House(config([service("a")]), {
        seed: steps + 1,
        before: (machine) => (machine.of("b").getsReady = false)
      })
      house.news()
      const after = config([service("a", { env: { NEW: "1" } }), service("b", { startupTimeoutMs: 60_000 })])
      const reloaded = house.fork(house.tenement.reload(after, { dryRun: false }))
      house.simulation.steps(steps)
      const interrupted = house.fork(Fiber.interrupt(reloaded))
      house.simulation.settle()
      assert.isNotNull(interrupted.unsafePoll(), "the wait cannot be given up")
      const news = house.news()
      // All of it, or nothing.
      assert.oneOf(news.length, [0, 3], news.join())
      assert.strictEqual(house.do(house.tenement.config) === after, news.length > 0)
    }
  })

  it("before anything was started is what is started", () => {
    const house = new House(config([service("a")]), { boots: false })
    house.do(house.tenement.reload(config([service("b")]), { dryRun: false }))
    assert.deepStrictEqual(house.news(), [])
    house.do(house.tenement.boot)
    assert.deepStrictEqual(house.news(), ["start b"])
  })

  it("starts nothing again that a person stops meanwhile", () => {
    const changed = config([service("a", { env: { NEW: "1" } })])
    for (let seed = 1; seed <= 20; seed++) {
      const house = new House(config([service("a")]), { seed })
      house.machine.of("a").stopMs = 100
      const stopped = house.fork(house.tenement.stop(named("a")))
      house.pass(seed)
      const reloaded = house.fork(house.tenement.reload(changed, { dryRun: false }))
      house.pass(10_000)
      assert.isNotNull(stopped.unsafePoll())
      assert.isNotNull(reloaded.unsafePoll())
      assert.strictEqual(house.look("a").state, "stopped")
    }
  })

  it("starts nobody once the tree goes down", () => {
    const house = new House(config([service("a"), service("gone")]))
    Object.assign(house.machine.of("gone"), { ignoresTerm: true })
    const next = config([service("a", { env: { NEW: "1" } }), service("new")])
    const reloaded = house.fork(house.tenement.reload(next, { dryRun: false }))
    house.pass(100)
    house.news()
    const closed = house.close()
    house.pass(60_000)
    assert.isNotNull(closed.unsafePoll())
    assert.isNotNull(reloaded.unsafePoll())
    assert.deepStrictEqual(house.news().filter((line) => line.startsWith("start")), [])
  })
})
