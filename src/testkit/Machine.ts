/**
 * A machine on which nothing is real but the supervisor: its processes are started, ended and questioned by hand, and
 * whatever can go wrong with one goes wrong when it is told to.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ServicesFor } from "../actors/InstanceParts.ts"
import * as ReadinessRegistry from "../actors/ReadinessRegistry.ts"
import * as Root from "../actors/Root.ts"
import * as StartSlots from "../actors/StartSlots.ts"
import { Tenement } from "../actors/Tenement.ts"
import type { ServiceConfig, TenementConfig } from "../domain/Config.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import { Cgroups } from "../layers/Cgroups.ts"
import { Connections } from "../layers/Connections.ts"
import { LogsFailed } from "../layers/Errors.ts"
import * as Events from "../layers/Events.ts"
import type { InstanceServices } from "../layers/forService.ts"
import * as Isolation from "../layers/Isolation.ts"
import { Launcher, type LaunchSpec } from "../layers/Launcher.ts"
import { Levels } from "../layers/Levels.ts"
import { Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import { Notify } from "../layers/Notify.ts"
import { Sockets } from "../layers/Sockets.ts"
import { Store } from "../layers/Store.ts"
import { Usage } from "../layers/Usage.ts"
import { type Child, type Options as ProcessOptions, Processes } from "./Processes.ts"
import { type Behaviour, usual } from "./Program.ts"
import { SimulatedCgroups } from "./SimulatedCgroups.ts"
import { SimulatedMetrics } from "./SimulatedMetrics.ts"
import * as SimulatedParts from "./SimulatedParts.ts"
import { type Damage, SimulatedStore } from "./SimulatedStore.ts"

export { type Behaviour, type Child, usual }

/**
 * @since 0.1.0
 * @category models
 */
export interface Options extends ProcessOptions {
  /** Hears every event that the supervisor publishes. */
  readonly hear?: (event: Events.NewEvent) => void
}

/**
 * What runs have acquired and not given back.
 *
 * @since 0.1.0
 * @category models
 */
export interface Held {
  readonly sockets: number
  readonly logs: number
  readonly cgroups: number
}

/**
 * @since 0.1.0
 * @category models
 */
export class Machine {
  readonly processes: Processes
  readonly store: SimulatedStore
  readonly cgroups: SimulatedCgroups
  /** Of the supervisor that is there now. */
  metrics = new SimulatedMetrics()
  private readonly options: Options
  private readonly behaviours = new Map<string, Behaviour>()
  private readonly prepared = new WeakSet<LaunchSpec>()
  private readonly probes = new Map<string, number>()
  private readonly sockets = new Set<string>()
  private readonly logs = new Set<InstanceName>()

  constructor(options: Options = {}) {
    this.options = options
    this.store = new SimulatedStore(options.later)
    this.processes = new Processes((service) => this.of(service), options)
    this.cgroups = new SimulatedCgroups(this.processes, (service) => this.of(service))
  }

  /** What the programs of a service do; to be changed as a test likes. */
  of(service: string): Behaviour {
    const known = this.behaviours.get(service)
    if (known !== undefined) return known
    const made = { ...usual }
    this.behaviours.set(service, made)
    return made
  }

  /** All processes that there ever were, in the order in which they were started. */
  get children(): ReadonlyArray<Child> {
    return this.processes.children
  }

  /** Everything that happened to processes, in order: `start cart:default`, `end cart:default`. */
  get trace(): Array<string> {
    return this.processes.trace
  }

  /** What must never happen, and did. */
  get violations(): Array<string> {
    return this.processes.violations
  }

  /** Main processes that run. */
  get living(): ReadonlyArray<Child> {
    return this.children.filter(({ alive }) => alive)
  }

  /** The process that runs for an instance; it is an error if there is none. */
  child(instance: string): Child {
    const name = instance.includes(":") ? instance : `${instance}:default`
    const found = this.living.find((child) => child.instance === name)
    if (found === undefined) throw new Error(`nothing runs for ${instance}`)
    return found
  }

  /** What the runs of instances hold. */
  get held(): Held {
    return { sockets: this.sockets.size, logs: this.logs.size, cgroups: this.cgroups.count }
  }

  /** Whether the isolation of its service has seen a launch. */
  isIsolated(spec: LaunchSpec): boolean {
    return this.prepared.has(spec)
  }

  /** When an instance was probed last. */
  probedAt(instance: string): number | null {
    return this.probes.get(instance) ?? null
  }

  /** The machine stops: no process is left, and of what was written only what is on the disk. */
  losePower(damage: Damage | null = null): void {
    this.processes.clear()
    this.cgroups.clear()
    this.store.losePower(damage)
  }

  /** The supervisor is gone, and with it what only it knew. */
  loseSupervisor(): void {
    // What could be written down nowhere is found by its cgroup, and where there are none by nobody: see docs/server.md.
    if (this.store.isBehind && !this.cgroups.exist) this.processes.sweep(() => true)
    this.store.close()
    this.processes.disown()
    this.sockets.clear()
    this.logs.clear()
  }

  private readonly partsOf = (config: ServiceConfig): Context.Context<InstanceServices> =>
    SimulatedParts.of(config, this.of(config.name), {
      isolated: (spec) => this.prepared.add(spec),
      probed: ({ privatePath }) => this.probes.set(privatePath.replace(/\.\d+$/, ""), this.options.now?.() ?? 0)
    })

  /** The parts of an instance, by its configuration; what its programs do decides over their readiness and health. */
  readonly layersFor = (config: ServiceConfig): Layer.Layer<InstanceServices> =>
    Layer.effectContext(Effect.sync(() => this.partsOf(config)))

  private readonly socketsOf: Context.Tag.Service<Sockets> = {
    prepare: ({ incarnation, instance, publicPath }) =>
      Effect.sync(() => {
        const endpoint = { publicPath, privatePath: `${instance}.${incarnation}`, port: null }
        this.sockets.add(endpoint.privatePath)
        return endpoint
      }),
    publish: ({ instance }) =>
      this.of(parts(instance).service).actorDies || this.of(instance).actorDies
        ? Effect.die(new Error("a bug"))
        : Effect.void,
    withdraw: () => Effect.void,
    leads: () => Effect.succeed(true),
    adopt: ({ privatePath }) => Effect.sync(() => void this.sockets.add(privatePath)),
    sweep: Effect.void,
    listen: () => Effect.succeed(3),
    retire: ({ privatePath }) => Effect.sync(() => void this.sockets.delete(privatePath)),
    release: () => Effect.void
  }

  private readonly logsOf: Context.Tag.Service<Logs> = {
    open: (instance) =>
      Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => this.logs.add(instance)),
          () => Effect.sync(() => this.logs.delete(instance))
        ),
        {
          begin: () => Effect.succeed({ stdout: 1, stderr: 2, begun: Effect.void }),
          resume: () => Effect.void,
          end: Effect.void,
          leave: Effect.succeed({})
        }
      ),
    read: () => Stream.empty,
    last: () => Effect.succeed([]),
    forget: () => Effect.void,
    remove: (instance) =>
      this.of(parts(instance).service).logsStay
        ? new LogsFailed({ instance, path: "/logs", code: "EACCES", problem: "they cannot be deleted" })
        : Effect.void
  }

  /** What all instances share. One context, and no layer for each: a simulation makes thousands. */
  private readonly shared = Effect.gen(this, function*() {
    const store = this.store.open()
    const services = yield* Effect.provideService(Layer.build(Events.layer), Store, store)
    const events = Context.get(services, Events.Events)
    this.metrics = new SimulatedMetrics()
    return services.pipe(
      Context.add(Events.Events, {
        ...events,
        publish: (event) => Effect.zipRight(Effect.sync(() => this.options.hear?.(event)), events.publish(event))
      }),
      Context.add(Store, store),
      Context.add(ReadinessRegistry.ReadinessRegistry, ReadinessRegistry.make()),
      Context.add(StartSlots.StartSlots, StartSlots.make(4)),
      Context.add(Cgroups, this.cgroups.service),
      Context.add(Launcher, {
        launch: (spec) => this.processes.launch(spec),
        adopt: (adoption) => this.processes.adopt(adoption),
        // It takes a while, as with a machine that is not simulated, and then the launch is like any other.
        prepare: () => Effect.delay(Effect.succeed({ end: Effect.void }), 5)
      }),
      Context.add(Sockets, this.socketsOf),
      Context.add(Connections, {
        open: (_, pid) =>
          Effect.sync(() => {
            const found = this.living.find((child) => child.pid === pid)
            return found === undefined ? null : this.of(parts(found.instance).service).connections
          })
      }),
      Context.add(Logs, this.logsOf),
      Context.add(Levels, { of: () => Isolation.services.process }),
      Context.add(Notify, { listen: () => Effect.dieMessage("nothing here waits for a message") }),
      Context.add(Usage, { sample: () => Effect.succeed(new Map()) }),
      Context.add(Metrics, this.metrics.service)
    )
  })

  /** The tree over this machine; it comes up with the layer and goes down with it. */
  layer(config: TenementConfig): Layer.Layer<Tenement | Events.Events> {
    return Layer.tap(this.layerStopped(config), (context) => Context.get(context, Tenement).boot)
  }

  /** The same, before it comes up; `layersFor` are the parts of instances, where they are not the machine's own. */
  layerStopped(
    config: TenementConfig,
    layersFor: ((config: ServiceConfig) => Layer.Layer<InstanceServices>) | null = null
  ): Layer.Layer<Tenement | Events.Events> {
    const services: ServicesFor = (service): Effect.Effect<Context.Context<InstanceServices>, never, Scope.Scope> =>
      layersFor === null ? Effect.sync(() => this.partsOf(service)) : Layer.build(layersFor(service))
    return Root.layerStopped(config, services).pipe(
      Layer.provideMerge(Layer.scopedContext(this.shared))
    )
  }
}
