/**
 * A tree over a machine that is not real, in a world whose time and whose fibers the test moves.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Tenement } from "../../src/actors/Tenement.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import type { InstanceView, StateLabel } from "../../src/domain/Views.ts"
import { Machine, named } from "./Machine.ts"
import { Simulation } from "./Simulation.ts"

const open = new Set<House>()

/** Takes down the houses that are still there: what is forgotten would run for ever, for all that memory knows. */
export const clear = (): void => {
  for (const house of open) {
    house.close()
    house.pass(600_000)
  }
}

/** One history of many: between them the test's own process gets to breathe. */
export const aside = (body: () => void): Effect.Effect<void> =>
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
    Effect.zipRight(Effect.sync(body)),
    Effect.ensuring(Effect.sync(clear))
  )

export class House {
  readonly machine = new Machine()
  readonly simulation: Simulation
  readonly tenement: typeof Tenement.Service
  private readonly scope: Scope.CloseableScope

  /** Everything that the configuration lists is started, as far as that needs no time, unless `boots` is false. */
  constructor(
    config: TenementConfig,
    options: { readonly seed?: number; readonly before?: (machine: Machine) => void; readonly boots?: boolean } = {}
  ) {
    options.before?.(this.machine)
    this.simulation = new Simulation(options.seed)
    this.scope = this.simulation.run(Scope.make())
    const context = this.simulation.run(Layer.buildWithScope(this.machine.layerStopped(config), this.scope))
    this.tenement = Context.get(context, Tenement)
    if (options.boots !== false) this.simulation.run(this.tenement.boot)
    open.add(this)
  }

  /** What happened to processes since the last time somebody asked. */
  news(): ReadonlyArray<string> {
    return this.machine.trace.splice(0).map((line) => line.replaceAll(":default", ""))
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return this.simulation.fork(effect)
  }

  do<A, E>(effect: Effect.Effect<A, E>): A {
    return this.simulation.run(effect)
  }

  pass(ms: number): void {
    this.simulation.advance(ms)
  }

  crash(...instances: ReadonlyArray<string>): void {
    const children = instances.map((name) => this.machine.child(name))
    for (const child of children) this.simulation.fork(child.exit({ code: 1 }))
    this.simulation.settle()
  }

  look(instance: string): InstanceView {
    const found = this.do(this.tenement.list).find(({ name }) => name === named(instance))
    if (found === undefined) throw new Error(`there is no ${instance}`)
    return found
  }

  /** The states of instances, in their order. */
  states(...instances: ReadonlyArray<string>): ReadonlyArray<StateLabel> {
    return instances.map((name) => this.look(name).state)
  }

  close(): Fiber.RuntimeFiber<void> {
    open.delete(this)
    return this.simulation.fork(Scope.close(this.scope, Exit.void))
  }
}
