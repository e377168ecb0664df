import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { Command, InstanceEvent, Policy } from "../../src/domain/InstanceEvent.ts"
import { initial, isSettled } from "../../src/domain/InstanceState.ts"
import * as Rollout from "../../src/domain/Rollout.ts"
import { policyOf } from "./World.ts"

type Sent = InstanceEvent extends infer E ? E extends { readonly at: unknown } ? Omit<E, "at"> : never : never

const policy: Policy = {
  ...policyOf({
    restart: "always",
    max: Infinity,
    windowMs: 1000,
    retries: 2,
    awaitsReadiness: true,
    stopTimeoutMs: 200,
    idleTimeoutMs: 0,
    dependsOn: false,
    group: false
  }),
  rolling: true,
  drainTimeoutMs: 500
}

const person = { _tag: "Person", verb: "restart" } as const

/** Does what it is told, and keeps what happens to it for later. */
class House {
  lives: Rollout.Lives = { main: initial, beside: Rollout.alone }
  now = 0
  readonly begun = new Set<number>()
  readonly alive = new Map<number, { signals: number }>()
  readonly launching = new Set<number>()
  /** What may happen next. */
  pending: Array<Sent> = []
  published: Array<string> = []

  send(event: Sent): void {
    const before = this.lives
    const step = Rollout.decide(policy, before, { ...event, at: { mono: this.now, wall: this.now } })
    this.lives = { main: step.main, beside: step.beside }
    for (const command of step.commands) this.perform(command)
    this.check()
  }

  private perform(command: Command): void {
    switch (command._tag) {
      case "Launch":
        assert.isFalse(this.begun.has(command.incarnation), `run ${command.incarnation} is begun twice`)
        this.begun.add(command.incarnation)
        this.launching.add(command.incarnation)
        break
      case "AbortLaunch":
        if (this.launching.delete(command.incarnation)) {
          this.pending.push({ _tag: "LaunchAborted", incarnation: command.incarnation })
        }
        break
      case "Signal": {
        const process = this.alive.get(command.incarnation)
        if (process === undefined || command.signal === "SIGCONT") break
        process.signals++
        assert.strictEqual(process.signals, 1, "a second stop signal")
        this.pending.push(this.exit(command.incarnation))
        break
      }
      case "KillTree":
        this.alive.delete(command.incarnation)
        this.pending.push({ _tag: "TreeGone", incarnation: command.incarnation })
        break
      case "StepBackoff":
        this.pending.push({ _tag: "NextDelay", incarnation: command.incarnation, delayMs: 10 })
        break
      case "Drain":
        this.pending.push({ _tag: "Drained", incarnation: command.incarnation, left: 0 })
        break
      case "ArmTimer":
        if (command.timer === "backoff") {
          this.pending.push({ _tag: "Elapsed", incarnation: command.incarnation, timer: "backoff" })
        }
        break
      case "Publish":
        this.published.push(command.cause._tag)
        break
      case "ReleaseRun":
        assert.isFalse(this.alive.has(command.incarnation), "released while it lives")
        break
      default:
        break
    }
  }

  exit(incarnation: number): Sent {
    const status = { code: null, signal: "SIGTERM" }
    return { _tag: "Exited", incarnation, status, oomKilled: false, stragglers: false }
  }

  /** One of the things that are under way comes to its end. */
  happen(choice: number): boolean {
    const launches = [...this.launching]
    const total = launches.length + this.pending.length
    if (total === 0) return false
    const at = choice % total
    const launched = launches[at]
    if (launched !== undefined) {
      this.launching.delete(launched)
      this.alive.set(launched, { signals: 0 })
      this.send({ _tag: "Launched", incarnation: launched, pid: 1000 + launched })
      return true
    }
    const [event] = this.pending.splice(at - launches.length, 1)
    if (event === undefined) return false
    if (event._tag === "Exited") this.alive.delete(event.incarnation)
    this.send(event)
    return true
  }

  get known(): ReadonlyArray<number> {
    const { beside: { retiring, successor }, main } = this.lives
    return [main, ...retiring, ...(successor === null ? [] : [successor])].map(({ incarnation }) => incarnation)
  }

  private check(): void {
    const { beside, main } = this.lives
    assert.strictEqual(new Set(this.known).size, this.known.length, "two lives of one run")
    for (const incarnation of [...this.alive.keys(), ...this.launching]) {
      assert.include(this.known, incarnation, "a process that nobody knows of")
    }
    if (beside.successor !== null) assert.strictEqual(main.phase._tag, "Up", "a successor of what does not serve")
    for (const { incarnation, phase } of [main, ...beside.retiring]) {
      if (phase._tag === "Up") assert.isTrue(this.begun.has(incarnation))
    }
  }

  ready(): void {
    const { beside: { successor }, main } = this.lives
    for (const state of [main, successor]) {
      if (state?.phase._tag === "Starting") this.send({ _tag: "Ready", incarnation: state.incarnation, by: "connect" })
    }
  }

  heal(): void {
    for (let left = 200; left > 0; left--) {
      this.ready()
      if (!this.happen(0)) break
    }
    this.ready()
  }
}

const up = (): House => {
  const house = new House()
  house.send({ _tag: "Start", cause: { _tag: "Boot" } })
  house.heal()
  assert.strictEqual(house.lives.main.phase._tag, "Up")
  return house
}

const live = (choices: ReadonlyArray<number>): House => {
  const house = up()
  for (const choice of choices) {
    const { main } = house.lives
    house.now += choice % 7
    const [any = main.incarnation] = [...house.alive.keys()].slice(choice % 3)
    switch (choice % 11) {
      case 0:
      case 1:
        house.send({ _tag: "Restart", cause: person })
        break
      case 2:
        house.send({ _tag: "Restart", cause: { _tag: "Reload", keys: ["command"] } })
        break
      case 3:
        if (choice % 3 === 0) house.send({ _tag: "Stop", cause: person })
        else house.send({ _tag: "Start", cause: person })
        break
      case 4:
        if (house.alive.delete(any)) house.send(house.exit(any))
        break
      case 5:
        house.send({ _tag: "Probed", incarnation: any, healthy: false, detail: "500" })
        break
      case 6:
        house.send({ _tag: "Elapsed", incarnation: any, timer: choice % 2 === 0 ? "startup" : "stop" })
        break
      case 7: {
        const [launching] = house.launching
        if (launching === undefined) break
        house.launching.delete(launching)
        house.send({ _tag: "LaunchFailed", incarnation: launching, code: "ENOENT", message: "no such command" })
        break
      }
      case 8:
        house.ready()
        break
      default:
        house.happen(choice)
    }
  }
  return house
}

describe("a rolling restart", () => {
  it("has the next run take over when it is ready, and then ends the one before", () => {
    const house = up()
    house.published = []
    house.send({ _tag: "Restart", cause: person })
    assert.strictEqual(house.lives.main.incarnation, 1)
    assert.strictEqual(house.lives.beside.successor?.incarnation, 2)
    house.happen(0)
    house.ready()
    assert.strictEqual(house.lives.main.incarnation, 2)
    assert.deepStrictEqual(house.lives.beside.retiring.map(({ incarnation }) => incarnation), [1])
    assert.strictEqual(house.alive.get(1)?.signals, 0)
    house.heal()
    assert.deepStrictEqual([...house.alive.keys()], [2])
    assert.isTrue(Rollout.isAlone(house.lives.beside))
    assert.deepStrictEqual(house.published, ["Person", "Replaced", "Drained"])
  })

  it("leaves the one that serves alone when the next does not get ready", () => {
    const house = up()
    house.send({ _tag: "Restart", cause: person })
    house.happen(0)
    house.alive.delete(2)
    house.send(house.exit(2))
    assert.strictEqual(house.lives.main.incarnation, 1)
    assert.strictEqual(house.lives.main.phase._tag, "Up")
    assert.isTrue(Rollout.isAlone(house.lives.beside))
    assert.include(house.lives.beside.failure ?? "", "SIGTERM")
    house.send({ _tag: "Restart", cause: person })
    assert.strictEqual(house.lives.beside.successor?.incarnation, 3, "no run has the number of another")
  })

  it("is the restart, when the one that serves fails meanwhile", () => {
    const house = up()
    house.send({ _tag: "Restart", cause: person })
    house.alive.delete(1)
    house.send(house.exit(1))
    assert.strictEqual(house.lives.main.incarnation, 2)
    house.heal()
    assert.deepStrictEqual([...house.alive.keys()], [2])
    assert.strictEqual(house.lives.main.restarts, 0)
  })

  it("never loses a process, has no two lives of one run, and replaces only what serves", () => {
    FC.assert(FC.property(FC.array(FC.nat(10_000), { maxLength: 120 }), (choices) => void live(choices)), {
      numRuns: 500
    })
  })

  it("comes to rest with one run, or with none if it was stopped", () => {
    FC.assert(
      FC.property(FC.array(FC.nat(10_000), { maxLength: 120 }), FC.boolean(), (choices, stop) => {
        const house = live(choices)
        if (stop) house.send({ _tag: "Stop", cause: person })
        else house.send({ _tag: "Start", cause: person })
        house.heal()
        const { beside, main } = house.lives
        assert.isTrue(Rollout.isAlone(beside), JSON.stringify(beside))
        assert.strictEqual(house.alive.size, stop ? 0 : 1)
        assert.isTrue(stop ? isSettled(main) : main.phase._tag === "Up", main.phase._tag)
      }),
      { numRuns: 500 }
    )
  })

  it("goes on where another actor left it", () => {
    FC.assert(
      FC.property(FC.array(FC.nat(10_000), { maxLength: 80 }), (choices) => {
        const { lives } = live(choices)
        const commands = Rollout.resume(policy, lives, { mono: 0, wall: 0 })
        for (const { incarnation, phase } of lives.beside.retiring) {
          const own = commands.filter((command) => "incarnation" in command && command.incarnation === incarnation)
          assert.include(
            own.map(({ _tag }) => _tag),
            phase._tag === "Up" ? "Drain" : phase._tag === "Ending" && phase.end !== null ? "AwaitTree" : "WatchExit"
          )
        }
      })
    )
  })
})
