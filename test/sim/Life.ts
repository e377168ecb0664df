/** One simulated life: a plan carried out on the whole tree, with what must hold looked at after every step. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as OpenRequests from "../../src/actors/OpenRequests.ts"
import type { InstanceName } from "../../src/domain/Names.ts"
import { instanceName, parts } from "../../src/domain/Names.ts"
import { SimulatedTree } from "../../src/testkit/SimulatedTree.ts"
import { named } from "../actors/Machine.ts"
import { Invariants } from "./Invariants.ts"
import * as Plan from "./Plan.ts"
import { Witness } from "./Witness.ts"

interface Call {
  readonly name: InstanceName | null
  readonly verb: string
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  /** Nobody else asked for something for the same instance meanwhile. */
  isAlone: boolean
}

const floodSize = 70

export class Life {
  readonly invariants: Invariants
  readonly witness: Witness
  readonly tree: SimulatedTree
  readonly plan: Plan.Plan
  private readonly tell: (line: string) => void
  calls: Array<Call> = []
  /** Those that wait, or are being answered. */
  requests: Array<Fiber.RuntimeFiber<unknown>> = []
  /** Instances that somebody started, and was told so. */
  readonly wanted = new Set<InstanceName>()
  hash = 0
  private isBegun = false
  private variant = 0
  /** The variant that is in force; `null` from the wish for another one until it is answered. */
  private applied: number | null = 0
  /** Two steps are one: nothing happens between them. */
  private isTogether = false
  private longestPauseMs = 0

  constructor(plan: Plan.Plan, tell: (line: string) => void = () => undefined) {
    this.plan = plan
    this.tell = tell
    this.witness = new Witness({
      variants: plan.variants,
      now: () => this.isBegun ? this.tree.simulation.nowMs : 0,
      machine: () => this.tree.machine,
      config: () => this.applied === null ? null : this.plan.variants[this.applied] ?? null,
      slackMs: () => this.longestPauseMs + 100
    })
    this.invariants = new Invariants(this.witness)
    const { hear, mayKill, mayStart } = this.invariants
    this.tree = new SimulatedTree(plan.variants[0], {
      seed: plan.seed,
      mayStart,
      mayKill,
      hear: (event) => {
        const text = JSON.stringify(event)
        this.note(text)
        this.tell(`  ${this.witness.now()} ms ${text}`)
        hear(event)
      },
      before: ({ cgroups, processes }) => {
        cgroups.exist = plan.hasCgroups
        processes.reusesPids = plan.reusesPids
      },
      boots: false
    })
    this.isBegun = true
    this.tree.do(this.tree.tenement.boot)
    for (const { instances, name } of plan.variants[0].services.values()) {
      for (const id of instances) this.wanted.add(instanceName(name, id))
    }
  }

  note(text: string): void {
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
    if (name === null || verb === "stop" || verb === "remove") this.unwant(name)
    if (verb !== "stop" && verb !== "remove" && name !== null) {
      this.invariants.forbidden.delete(name)
      if (this.invariants.stateOf(name) === "starting") this.invariants.restarts.beginAnew(name)
    }
    this.calls.push({ name, verb, fiber: this.tree.fork(effect), isAlone })
  }

  private unwant(name: InstanceName | null): void {
    if (name === null) this.wanted.clear()
    else this.wanted.delete(name)
  }

  /** Who asked is told, and can rely on it from then on. */
  hearAnswers(): void {
    this.requests = this.requests.filter((fiber) => fiber.unsafePoll() === null)
    const { forbidden } = this.invariants
    this.calls = this.calls.filter(({ fiber, isAlone, name, verb }) => {
      const exit = fiber.unsafePoll()
      if (exit === null) return true
      if (verb === "reload" && isAlone && Exit.isSuccess(exit)) this.applied = this.variant
      if (Exit.isFailure(exit)) this.hearRefusal(exit, `${verb} ${name ?? ""}`)
      else if (name !== null && isAlone) {
        if (verb === "stop") forbidden.set(name, "stopped")
        else if (verb === "remove") {
          forbidden.set(name, "removed")
          this.invariants.forget(name)
        } else this.wanted.add(name)
      }
      return false
    })
  }

  private hearRefusal({ cause }: Exit.Failure<unknown, unknown>, what: string): void {
    if (cause._tag === "Die") this.witness.fail(`${what} met a defect: ${String(cause)}`)
    const text = JSON.stringify(cause)
    if (text.includes("StoreFailed")) this.witness.reach("a change is refused for a disk that cannot be written")
    if (text.includes("\"Busy\"")) this.witness.reach("a mailbox is full")
    if (text.includes("ActorLost")) this.witness.reach("an actor goes before it has answered")
  }

  /** Nobody will answer them any more. */
  private dropCalls(): void {
    for (const { name } of this.calls) {
      if (name === null) this.invariants.forbidden.clear()
      else this.invariants.forbidden.delete(name)
      this.unwant(name)
    }
    this.calls = []
    this.requests = []
  }

  private replace(how: string, replacing: () => void): void {
    const { invariants, tree, witness } = this
    const { machine } = tree
    for (const name of new Set(machine.living.map(({ instance }) => instance))) {
      witness.reach(`${how} while ${invariants.stateOf(name)}`)
    }
    for (const state of invariants.states.values()) witness.reach(`${how} while something is ${state}`)
    for (const { verb } of this.calls) witness.reach(`${how} in the middle of a ${verb}`)
    if (tree.booted.unsafePoll() === null) witness.reach(`${how} in the middle of its start`)
    if (machine.store.isSyncing) witness.reach(`${how} while the disk is written`)
    if (machine.living.some(({ startTime }) => !machine.store.mentions(`"startTime":"${startTime}","endpoint"`))) {
      witness.reach(`${how} between a launch and its being written down`)
    }
    if (machine.store.isBehind) this.lose()
    this.hearAnswers()
    this.dropCalls()
    invariants.forgetShown()
    this.applied = this.variant
    replacing()
    witness.reach(how)
  }

  /** Of what was written down something is lost: what was said before does not bind. */
  private lose(): void {
    this.witness.isLossy = true
    this.invariants.restarts.forgetCounts()
    // Nobody knows that they have had it.
    for (const { signals } of this.tree.machine.children) signals.length = 0
  }

  /** What was promised is forgotten too, and nobody can help it. */
  private loseAll(): void {
    this.lose()
    this.invariants.forbidden.clear()
    this.wanted.clear()
  }

  private perform(action: Plan.Action): void {
    const { machine, simulation, tenement } = this.tree
    switch (action._tag) {
      case "ask":
        return this.ask(action)
      case "flood": {
        const name = named(action.instance)
        machine.store.syncMs = Math.max(1, machine.store.syncMs)
        for (let count = 0; count < floodSize; count++) this.call(name, action.verb, tenement[action.verb](name))
        return
      }
      case "leave":
        return this.calls.at(-1)?.fiber.unsafeInterruptAsFork(FiberId.none)
      case "reload":
        this.variant = action.variant
        this.applied = null
        // What a file brings along that was not there is started, whatever became of it before.
        this.invariants.forbidden.clear()
        return this.call(null, "reload", tenement.reload(this.config, { dryRun: false }))
      case "request":
        return this.request(action)
      case "exit": {
        const { code, signal } = action
        const child = machine.living.find(({ instance }) => instance === named(action.instance))
        if (child !== undefined) this.tree.fork(child.exit({ code, signal }))
        return
      }
      case "oom":
        return machine.cgroups.kill(named(action.instance), action.isLeader)
      case "behave":
        return void Object.assign(machine.of(action.service), action.behaviour)
      case "disk":
        machine.store.isFull = action.isFull
        machine.store.syncMs = action.syncMs
        machine.store.fails = action.fails
        return
      case "clock":
        simulation.wallOffsetMs += action.byMs
        return this.witness.reach("the wall clock is set")
      case "timers":
        simulation.timerTickMs = action.tickMs
        return
      case "pause":
        this.longestPauseMs = Math.max(this.longestPauseMs, action.ms)
        simulation.pause(action.ms)
        return this.witness.reach("the process stands still")
      case "kill":
        simulation.steps(action.steps)
        return this.replace("the supervisor is killed", () => this.tree.kill(this.config, { settles: false }))
      case "power":
        if (action.damage !== null) this.witness.reach(`the file is ${action.damage.how}`)
        return this.replace("the power goes", () => {
          machine.losePower(action.damage)
          this.lose()
          if (action.damage !== null && action.damage.how !== "torn") this.loseAll()
          this.tree.kill(this.config, { settles: false })
        })
      case "shutdown":
        return this.shutdown(action)
    }
  }

  private ask({ instance, verb }: Extract<Plan.Action, { readonly _tag: "ask" }>): void {
    const { tenement } = this.tree
    const name = named(instance)
    const { id, service } = parts(name)
    this.witness.reach(`${verb} while ${this.invariants.stateOf(name)}`)
    switch (verb) {
      case "remove":
        return this.call(name, "remove", tenement.remove(name, { data: false }))
      case "spawn":
        return this.call(name, "spawn", tenement.spawn(service, id))
      default:
        return this.call(name, verb, tenement[verb](name))
    }
  }

  private request({ answerMs, instance }: Extract<Plan.Action, { readonly _tag: "request" }>): void {
    const { simulation, tenement: { traffic } } = this.tree
    const name = named(instance)
    const { id, service } = parts(name)
    this.witness.reach(`a request while ${this.invariants.stateOf(name)}`)
    const answered = Effect.suspend(() => {
      const [backend] = traffic.backends(service, id)
      if (backend === undefined || backend.run === null) return Effect.void
      const end = OpenRequests.enter(backend.run.requests, () => simulation.nowMs)
      return Effect.ensuring(Effect.sleep(answerMs), Effect.sync(end))
    })
    this.requests.push(this.tree.fork(Effect.zipRight(traffic.arrive(name), answered)))
  }

  private shutdown({ killedAfterMs }: Extract<Plan.Action, { readonly _tag: "shutdown" }>): void {
    const { machine, simulation } = this.tree
    // Before it has begun, it has nothing that it could stop.
    const hasBegun = this.tree.booted.unsafePoll() !== null
    const closed = this.tree.close()
    simulation.advance(killedAfterMs ?? 60_000, () => closed.unsafePoll() !== null)
    if (closed.unsafePoll() === null) {
      if (killedAfterMs === null) this.witness.fail("the shutdown does not come to its end")
      else this.witness.reach("the supervisor is killed in the middle of its end")
    } else if (hasBegun && machine.living.length > 0) this.witness.fail("something outlives the shutdown")
    // Whatever it was that went down meanwhile: the next supervisor begins it anew, and not in a row.
    this.invariants.restarts.forgetAttempts()
    this.replace("the supervisor is stopped", () => this.tree.kill(this.config, { settles: false }))
  }

  step({ action, afterMs, isTogether }: Plan.Step): void {
    const { invariants, tree } = this
    if (!this.isTogether) {
      if (afterMs === "edge") tree.simulation.edge(10_000)
      else tree.pass(afterMs)
      this.hearAnswers()
    }
    this.tell(`${this.witness.now()} ms: ${Plan.tell({ action, afterMs, isTogether })}`)
    this.perform(action)
    invariants.isRace = isTogether || this.isTogether || afterMs === "edge"
    this.isTogether = isTogether
    if (isTogether) return
    tree.simulation.settle()
    invariants.isRace = false
    this.hearAnswers()
    invariants.look()
  }

  end(): void {
    this.tree.simulation.end()
  }
}
