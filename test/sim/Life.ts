/** One simulated life: a plan carried out on the whole tree, with what must hold looked at after every step. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { InstanceName } from "../../src/domain/Names.ts"
import { parts } from "../../src/domain/Names.ts"
import { usual } from "../../src/testkit/Machine.ts"
import { SimulatedTree } from "../../src/testkit/SimulatedTree.ts"
import { named } from "../actors/Machine.ts"
import { Invariants } from "./Invariants.ts"
import * as Plan from "./Plan.ts"

export interface Outcome {
  /** What was wrong; empty if nothing was. */
  readonly violations: ReadonlyArray<string>
  readonly reached: ReadonlySet<string>
  /** Two runs of one plan have the same. */
  readonly hash: number
}

interface Call {
  readonly name: InstanceName | null
  readonly verb: string
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  /** Nobody else asked for something for the same instance meanwhile. */
  isAlone: boolean
}

class Life {
  readonly invariants: Invariants
  private readonly tree: SimulatedTree
  private readonly plan: Plan.Plan
  private calls: Array<Call> = []
  private variant = 0
  hash = 0

  constructor(plan: Plan.Plan) {
    this.plan = plan
    this.invariants = new Invariants(plan.variants, () => this.tree.simulation.nowMs, () => this.tree.machine)
    const { hear, mayStart } = this.invariants
    this.tree = new SimulatedTree(plan.variants[0], {
      seed: plan.seed,
      hasCgroups: plan.seed % 2 === 1,
      mayStart,
      hear: (event) => {
        this.note(JSON.stringify(event))
        hear(event)
      },
      boots: false
    })
    this.tree.do(this.tree.tenement.boot)
  }

  private note(text: string): void {
    for (let index = 0; index < text.length; index++) {
      this.hash = (Math.imul(this.hash, 31) + text.charCodeAt(index)) | 0
    }
  }

  private get config() {
    return this.plan.variants[this.variant] ?? this.plan.variants[0]
  }

  private call(name: InstanceName | null, verb: string, effect: Effect.Effect<unknown, unknown>): void {
    let isAlone = true
    for (const other of this.calls) {
      if (name !== null && other.name !== null && other.name !== name) continue
      other.isAlone = false
      isAlone = false
    }
    if (verb !== "stop" && verb !== "remove" && name !== null) this.invariants.forbidden.delete(name)
    this.calls.push({ name, verb, fiber: this.tree.fork(effect), isAlone })
    this.tree.simulation.settle()
  }

  /** Who asked is told, and can rely on it from then on. */
  private hearAnswers(): void {
    this.calls = this.calls.filter(({ fiber, isAlone, name, verb }) => {
      const exit = fiber.unsafePoll()
      if (exit === null) return true
      const isDefect = Exit.isFailure(exit) && exit.cause._tag === "Die"
      if (isDefect) this.invariants.fail(`${verb} ${name} met a defect: ${String(exit.cause)}`)
      if (Exit.isFailure(exit) && JSON.stringify(exit.cause).includes("StoreFailed")) {
        this.invariants.reached.add("a change is refused for a full disk")
      }
      if (Exit.isSuccess(exit) && name !== null && isAlone) {
        if (verb === "stop") this.invariants.forbidden.set(name, "stopped")
        if (verb === "remove") {
          this.invariants.forbidden.set(name, "removed")
          this.invariants.forget(name)
        }
      }
      return false
    })
  }

  /** Nobody will answer them any more. */
  private dropCalls(): void {
    for (const { name } of this.calls) {
      if (name === null) this.invariants.forbidden.clear()
      else this.invariants.forbidden.delete(name)
    }
    this.calls = []
  }

  private replace(how: string, replacing: () => void): void {
    const { invariants } = this
    for (const name of new Set(this.tree.machine.living.map(({ instance }) => instance))) {
      invariants.reached.add(`${how} while ${invariants.stateOf(name)}`)
    }
    this.hearAnswers()
    this.dropCalls()
    invariants.forgetShown()
    replacing()
    invariants.reached.add(how)
  }

  private perform(action: Plan.Action): void {
    const { machine, tenement } = this.tree
    switch (action._tag) {
      case "ask": {
        const name = named(action.instance)
        const { id, service } = parts(name)
        const state = this.invariants.stateOf(name)
        this.invariants.reached.add(`${action.verb} while ${state}`)
        switch (action.verb) {
          case "remove":
            return this.call(name, "remove", tenement.remove(name, { data: false }))
          case "spawn":
            return this.call(name, "spawn", tenement.spawn(service, id))
          default:
            return this.call(name, action.verb, tenement[action.verb](name))
        }
      }
      case "reload":
        this.variant = action.variant
        // What a file brings along that was not there is started, whatever became of it before.
        this.invariants.forbidden.clear()
        return this.call(null, "reload", tenement.reload(this.config, { dryRun: false }))
      case "exit": {
        const { code, signal } = action
        const child = machine.living.find(({ instance }) => instance === named(action.instance))
        if (child !== undefined) this.tree.fork(child.exit({ code, signal }))
        return this.tree.simulation.settle()
      }
      case "behave":
        Object.assign(machine.of(action.service), action.behaviour)
        return
      case "disk":
        machine.store.isFull = action.isFull
        machine.store.syncMs = action.syncMs
        return
      case "kill":
        this.tree.simulation.steps(action.steps)
        return this.replace("the supervisor is killed", () => this.tree.kill(this.config))
      case "power":
        return this.replace("the power goes", () => {
          machine.losePower()
          this.invariants.forgetCounts()
          this.tree.kill(this.config)
        })
      case "shutdown": {
        const closed = this.tree.close()
        this.tree.pass(60_000)
        if (closed.unsafePoll() === null) this.invariants.fail("the shutdown does not come to its end")
        if (machine.living.length > 0) this.invariants.fail("something outlives the shutdown")
        this.invariants.forgetAttempts()
        return this.replace("the supervisor is stopped", () => this.tree.kill(this.config))
      }
    }
  }

  step({ action, afterMs }: Plan.Step): void {
    this.tree.pass(afterMs)
    this.hearAnswers()
    this.perform(action)
    this.hearAnswers()
    this.invariants.look()
  }

  /** From now on nothing goes wrong any more, and everything comes to rest where it should. */
  heal(): void {
    const { invariants, tree } = this
    for (const name of Plan.services) Object.assign(tree.machine.of(name), usual)
    Object.assign(tree.machine.store, { isFull: false, syncMs: 0 })
    tree.pass(40_000)
    this.hearAnswers()
    invariants.look()
    for (const { name, verb } of this.calls) invariants.fail(`${verb} ${name ?? ""} was never answered`)
    const views = tree.do(tree.tenement.list)
    for (const { name, state } of views) {
      if (["backoff", "stopping", "unhealthy", "degraded"].includes(state)) invariants.fail(`${name} stays ${state}`)
      if (state === "starting" && tree.do(tree.tenement.describe(name)).waitingFor.length === 0) {
        invariants.fail(`${name} stays starting, and waits for nobody`)
      }
      const intent = invariants.forbidden.get(name)
      if (intent === "removed") invariants.fail(`${name} was removed, and is there`)
      // A group that gave up takes along who was stopped already, in name.
      if (intent === "stopped" && !["stopped", "failed"].includes(state)) invariants.fail(`${name} is ${state}`)
    }
    const believed = views.flatMap(({ pid }) => pid === null ? [] : [pid]).sort()
    const real = tree.machine.children.filter(({ alive, strays }) => alive || strays).map(({ pid }) => pid).sort()
    if (believed.join() !== real.join()) invariants.fail(`${real.join()} run, and ${believed.join()} are known`)
    const closed = tree.close()
    tree.pass(60_000)
    if (closed.unsafePoll() === null) invariants.fail("it does not end")
    else if (!tree.simulation.isIdle) invariants.fail("something is still under way after the end")
    this.note(tree.machine.trace.join())
  }
}

/** Lives it. */
export const live = (plan: Plan.Plan): Outcome => {
  const life = new Life(plan)
  try {
    for (const step of plan.steps) {
      life.step(step)
      if (life.invariants.violations.length > 0) break
    }
    if (life.invariants.violations.length === 0) life.heal()
  } catch (error) {
    life.invariants.fail(String(error))
  }
  return { violations: life.invariants.violations, reached: life.invariants.reached, hash: life.hash }
}

/** The shortest plan found that still goes wrong. */
export const shrink = (plan: Plan.Plan): Plan.Plan => {
  let smallest = plan
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < smallest.steps.length;) {
      const steps = smallest.steps.filter((_, index) => index < from || index >= from + size)
      const shorter = { ...smallest, steps }
      if (live(shorter).violations.length > 0) smallest = shorter
      else from += size
    }
  }
  return smallest
}
