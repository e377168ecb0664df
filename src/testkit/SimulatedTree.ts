/**
 * The supervisor's whole tree over a simulated machine: the real actors, a clock that is moved by hand, and a seed that
 * decides what happens first of all that happens at one moment.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Tenement } from "../actors/Tenement.ts"
import type { ServiceConfig, TenementConfig } from "../domain/Config.ts"
import type { InstanceView, StateLabel } from "../domain/Views.ts"
import type { InstanceServices } from "../layers/forService.ts"
import * as Machine from "./Machine.ts"
import type { Damage } from "./SimulatedStore.ts"
import { Simulation } from "./Simulation.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options extends Omit<Machine.Options, "later" | "now"> {
  /** Another seed is another order of what happens at the same time. */
  readonly seed?: number
  /** Is done to the machine before anything is started. */
  readonly before?: (machine: Machine.Machine) => void
  /** Whether what the configuration lists is started; it is, if not given. */
  readonly boots?: boolean
  /** The layers of a service's instances, in place of the machine's own. */
  readonly layers?: (
    machine: Machine.Machine
  ) => (service: ServiceConfig) => Layer.Layer<InstanceServices>
}

const full = (instance: string): string => instance.includes(":") ? instance : `${instance}:default`

/**
 * @example
 * ```ts
 * import { Embed } from "tenement"
 * import { SimulatedTree } from "tenement/testkit"
 *
 * const api = Embed.service({ name: "api", command: "api", maxRestarts: 2, backoffBaseMs: 100, backoffJitter: 0 })
 * const tree = new SimulatedTree.SimulatedTree(Embed.config({ services: [api] }))
 * tree.crash("api")
 * tree.pass(99)
 * export const before = tree.look("api").state // "backoff"
 * tree.pass(1)
 * export const after = tree.look("api").state // "running"
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class SimulatedTree {
  readonly machine: Machine.Machine
  simulation: Simulation
  tenement: typeof Tenement.Service
  /** Has ended once everything was told to start that the configuration lists. */
  booted: Fiber.RuntimeFiber<void>
  private readonly options: Options
  private scope: Scope.CloseableScope
  private config: TenementConfig

  /** Everything that the configuration lists is started, as far as that needs no time. */
  constructor(config: TenementConfig, options: Options = {}) {
    this.options = options
    this.simulation = new Simulation(options.seed)
    this.machine = new Machine.Machine({
      ...options,
      now: () => this.simulation.nowMs,
      later: (ms, happen) => this.simulation.after(ms, happen)
    })
    options.before?.(this.machine)
    this.config = config
    const { scope, tenement } = this.build()
    this.scope = scope
    this.tenement = tenement
    this.booted = this.simulation.fork(options.boots === false ? Effect.void : this.tenement.boot)
    this.simulation.settle()
  }

  private build() {
    const { config, machine, options } = this
    const scope = this.simulation.run(Scope.make())
    const layer = machine.layerStopped(config, options.layers?.(machine))
    return { scope, tenement: Context.get(this.simulation.run(Layer.buildWithScope(layer, scope)), Tenement) }
  }

  /**
   * The supervisor is killed (`kill -9`): nothing of it happens any more. Another one comes up, with the same
   * configuration or this one; with `settles: false` it has not begun to when this returns.
   */
  kill(config: TenementConfig = this.config, { settles } = { settles: true }): void {
    this.config = config
    this.machine.loseSupervisor()
    this.simulation = new Simulation(this.options.seed, this.simulation)
    const { scope, tenement } = this.build()
    this.scope = scope
    this.tenement = tenement
    this.booted = this.simulation.fork(this.tenement.boot)
    if (settles) this.simulation.settle()
  }

  /** The machine loses its power, and is started again. */
  losePower(damage: Damage | null = null): void {
    this.machine.losePower(damage)
    this.kill()
  }

  /** Starts something that the tree is asked for, and does not wait. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return this.simulation.fork(effect)
  }

  /** Asks the tree for something that needs no time. */
  do<A, E>(effect: Effect.Effect<A, E>): A {
    return this.simulation.run(effect)
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.simulation.advance(ms)
  }

  /** The main processes of these instances end, with code 1. */
  crash(...instances: ReadonlyArray<string>): void {
    const children = instances.map((name) => this.machine.child(name))
    for (const child of children) this.simulation.fork(child.exit({ code: 1 }))
    this.simulation.settle()
  }

  /** An instance as `ps` shows it; it is an error if there is none. */
  look(instance: string): InstanceView {
    const found = this.do(this.tenement.list).find(({ name }) => name === full(instance))
    if (found === undefined) throw new Error(`there is no ${instance}`)
    return found
  }

  /** The states of instances, in their order. */
  states(...instances: ReadonlyArray<string>): ReadonlyArray<StateLabel> {
    return instances.map((name) => this.look(name).state)
  }

  /** What happened to processes since the last time somebody asked: `start api`, `end api`. */
  news(): ReadonlyArray<string> {
    return this.machine.trace.splice(0).map((line) => line.replaceAll(":default", ""))
  }

  /** Begins to take it down; let time pass until the fiber has ended. */
  close(): Fiber.RuntimeFiber<void> {
    return this.simulation.fork(Scope.close(this.scope, Exit.void))
  }
}
