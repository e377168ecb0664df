/**
 * A machine on which nothing is real but the supervisor: its processes are started, ended and questioned by hand, and
 * whatever can go wrong with one goes wrong when it is told to.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ServicesFor } from "../actors/InstanceParts.ts"
import * as ReadinessRegistry from "../actors/ReadinessRegistry.ts"
import * as Root from "../actors/Root.ts"
import * as StartSlots from "../actors/StartSlots.ts"
import { Tenement } from "../actors/Tenement.ts"
import type { ServiceConfig, TenementConfig } from "../domain/Config.ts"
import { type ExitStatus, unknown } from "../domain/Exit.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import * as Backoff from "../layers/Backoff.ts"
import * as Cgroups from "../layers/Cgroups.ts"
import { Connections } from "../layers/Connections.ts"
import { LaunchFailed, LogsFailed, Unhealthy } from "../layers/Errors.ts"
import * as Events from "../layers/Events.ts"
import type { InstanceServices } from "../layers/forService.ts"
import { HealthCheck } from "../layers/HealthCheck.ts"
import * as Isolation from "../layers/Isolation.ts"
import { type Adoption, Launcher, type LaunchSpec, type Process } from "../layers/Launcher.ts"
import { Levels } from "../layers/Levels.ts"
import { Logs } from "../layers/Logs.ts"
import * as Metrics from "../layers/Metrics.ts"
import { Notify } from "../layers/Notify.ts"
import { Readiness } from "../layers/Readiness.ts"
import * as RestartPolicy from "../layers/RestartPolicy.ts"
import { Sockets } from "../layers/Sockets.ts"
import { Store } from "../layers/Store.ts"
import { Usage } from "../layers/Usage.ts"
import { SimulatedStore } from "./SimulatedStore.ts"

/**
 * A process of the machine, as it really is: what the supervisor believes of it is another matter.
 *
 * @since 0.1.0
 * @category models
 */
export interface Child {
  readonly instance: InstanceName
  readonly incarnation: number
  readonly pid: number
  readonly startTime: string
  /** The main process runs. */
  alive: boolean
  /** Something that it forked does. */
  strays: boolean
  /** How the main process ended. */
  status: ExitStatus | null
  /** In the order in which they came. */
  readonly signals: Array<string>
  /** The main process ends by itself. */
  readonly exit: (status: Partial<ExitStatus>) => Effect.Effect<void>
}

/**
 * What programs do; by service name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Behaviour {
  ignoresTerm: boolean
  failsToLaunch: boolean
  /** Gets ready by itself, or only when `ready` is called. */
  getsReady: boolean
  healthy: boolean
  /** Which of the program's own layers has a defect. */
  broken: "health" | "readiness" | "prepare" | "backoff" | "policy" | null
  /** The actor has one: it cannot publish a socket. Also by instance. */
  actorDies: boolean
  /** Its logs cannot be deleted. */
  logsStay: boolean
  /** What it forked outlives it, until it is killed. */
  leavesStrays: boolean
  /** How long it takes to be launched, and to end when it is asked to. */
  launchMs: number
  stopMs: number
  /** How many are connected to each instance by another way than through the gateway. */
  connections: number
}

/**
 * A program that does what it should.
 *
 * @since 0.1.0
 * @category constants
 */
export const usual: Behaviour = {
  ignoresTerm: false,
  failsToLaunch: false,
  getsReady: true,
  healthy: true,
  broken: null,
  actorDies: false,
  logsStay: false,
  leavesStrays: false,
  launchMs: 0,
  stopMs: 0,
  connections: 0
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Something that happens later, whatever becomes of the supervisor. Without it, a supervisor's end is the end of all. */
  readonly later?: (ms: number, happen: () => void) => void
  /** Looks at each launch; what it gives is a violation. */
  readonly mayStart?: (instance: InstanceName) => string | null
  /** Hears every event that the supervisor publishes. */
  readonly hear?: (event: Events.NewEvent) => void
}

interface Own {
  readonly exited: Deferred.Deferred<ExitStatus>
  readonly gone: Deferred.Deferred<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export class Machine {
  readonly children: Array<Child> = []
  readonly store = new SimulatedStore()
  /** Everything that happened to processes, in order: `start cart:default`, `end cart:default`. */
  readonly trace: Array<string> = []
  /** What must never happen, and did. */
  readonly violations: Array<string> = []
  private readonly options: Options
  private readonly behaviours = new Map<string, Behaviour>()
  private readonly own = new WeakMap<Child, Own>()
  private nextPid = 100

  constructor(options: Options = {}) {
    this.options = options
  }

  /** What the programs of a service do; to be changed as a test likes. */
  of(service: string): Behaviour {
    const known = this.behaviours.get(service)
    if (known !== undefined) return known
    const made = { ...usual }
    this.behaviours.set(service, made)
    return made
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

  /** The machine stops: no process is left, and of what was written only what is on the disk. */
  losePower(): void {
    for (const child of this.children) {
      if (child.alive) this.trace.push(`end ${child.instance}`)
      child.alive = false
      child.strays = false
    }
    this.store.losePower()
  }

  private end(child: Child, status: Partial<ExitStatus>): void {
    const own = this.own.get(child)
    if (!child.alive || own === undefined) return
    child.alive = false
    child.status = { ...unknown, ...status }
    this.trace.push(`end ${child.instance}`)
    Deferred.unsafeDone(own.exited, Exit.succeed(child.status))
    child.strays = this.of(parts(child.instance).service).leavesStrays
    if (!child.strays) Deferred.unsafeDone(own.gone, Exit.void)
  }

  private kill(child: Child): void {
    this.end(child, { signal: "SIGKILL" })
    if (!child.strays) return
    child.strays = false
    const own = this.own.get(child)
    if (own !== undefined) Deferred.unsafeDone(own.gone, Exit.void)
  }

  private obey(child: Child, signal: string): Effect.Effect<void> {
    const behaviour = this.of(parts(child.instance).service)
    return Effect.suspend(() => {
      if (!child.alive) return Effect.void
      child.signals.push(signal)
      if (signal !== "SIGTERM" || behaviour.ignoresTerm) return Effect.void
      const end = () => this.end(child, { signal })
      if (behaviour.stopMs === 0) return Effect.sync(end)
      return this.options.later === undefined
        ? Effect.asVoid(Effect.forkDaemon(Effect.delay(Effect.sync(end), behaviour.stopMs)))
        : Effect.sync(() => this.options.later?.(behaviour.stopMs, end))
    })
  }

  private handle(child: Child, { exited, gone }: Own): Process {
    return {
      pid: child.pid,
      programPid: Effect.succeed(child.pid),
      startTime: child.startTime,
      exited: Deferred.await(exited),
      signal: (signal) => this.obey(child, signal),
      hasStragglers: Effect.sync(() => child.strays),
      signalTree: () => Effect.void,
      treeGone: Deferred.await(gone),
      killTree: Effect.sync(() => this.kill(child)),
      survivors: Effect.succeed([])
    }
  }

  private start({ incarnation, instance }: LaunchSpec): Process {
    if (this.children.some((child) => child.instance === instance && (child.alive || child.strays))) {
      this.violations.push(`a second ${instance} was started`)
    }
    const problem = this.options.mayStart?.(instance) ?? null
    if (problem !== null) this.violations.push(problem)
    const own: Own = { exited: Deferred.unsafeMake(FiberId.none), gone: Deferred.unsafeMake(FiberId.none) }
    const pid = this.nextPid++
    const child: Child = {
      instance,
      incarnation,
      pid,
      startTime: String(pid),
      alive: true,
      strays: false,
      status: null,
      signals: [],
      exit: (status) => Effect.sync(() => this.end(child, status))
    }
    this.own.set(child, own)
    this.children.push(child)
    this.trace.push(`start ${instance}`)
    return this.handle(child, own)
  }

  private launch(spec: LaunchSpec): Effect.Effect<Process, LaunchFailed, Scope.Scope> {
    const behaviour = this.of(parts(spec.instance).service)
    return Effect.acquireRelease(
      Effect.suspend(() => {
        if (!behaviour.failsToLaunch) return Effect.succeed(this.start(spec))
        return Effect.fail(
          new LaunchFailed({ instance: spec.instance, code: "ENOENT", what: "no such command", advice: "Make one." })
        )
      }).pipe(Effect.tap(() => behaviour.launchMs === 0 ? Effect.void : Effect.sleep(behaviour.launchMs))),
      ({ killTree }) => killTree
    )
  }

  private adopt({ pid, startTime }: Adoption): Effect.Effect<Process, never, Scope.Scope> {
    return Effect.gen(this, function*() {
      const found = this.children.find((child) => child.pid === pid && child.startTime === startTime)
      const known = found === undefined ? undefined : this.own.get(found)
      if (found === undefined || known === undefined) {
        return yield* Effect.dieMessage(`pid ${pid} was never started, and is taken over`)
      }
      // Another one's child: nobody tells how it ended.
      const exited = yield* Deferred.make<ExitStatus>()
      if (found.alive) {
        yield* Effect.forkScoped(Effect.interruptible(
          Effect.zipRight(Deferred.await(known.exited), Deferred.succeed(exited, unknown))
        ))
      } else yield* Deferred.succeed(exited, unknown)
      const process = this.handle(found, { exited, gone: known.gone })
      yield* Scope.addFinalizer(yield* Effect.scope, process.killTree)
      return process
    })
  }

  /** What a launch that was cut short has left, as cgroups tell it, is ended. */
  private sweep(kept: ReadonlyArray<Cgroups.Place>): void {
    const names = new Set(kept.map(({ instance }) => instance))
    for (const child of this.children) if (!names.has(child.instance)) this.kill(child)
  }

  /** The parts of an instance, by its configuration; what its programs do decides over their readiness and health. */
  readonly layersFor = (config: ServiceConfig): Layer.Layer<InstanceServices> => {
    const behaviour = this.of(config.name)
    return Layer.mergeAll(
      Layer.succeed(RestartPolicy.RestartPolicy, {
        ...RestartPolicy.services[config.restart],
        shouldRestart: (end) => {
          if (behaviour.broken === "policy") throw new Error("no opinion")
          return RestartPolicy.services[config.restart].shouldRestart(end)
        }
      }),
      Backoff.fromSchedule(Schedule.delayedEffect(
        Backoff.exponentialSchedule({
          baseMs: config.backoffBaseMs,
          maxMs: config.backoffMaxMs,
          jitter: config.backoffJitter
        }),
        (delay) => behaviour.broken === "backoff" ? Effect.die(new Error("no idea")) : Effect.succeed(delay)
      )),
      Isolation.process,
      Layer.succeed(HealthCheck, {
        watches: config.health !== null,
        probe: () =>
          Effect.suspend(() =>
            behaviour.broken === "health"
              ? Effect.die(new Error("the check itself is broken"))
              : behaviour.healthy && config.health !== "/bad"
              ? Effect.succeed("GET /health: 200")
              : Effect.fail(new Unhealthy({ detail: "GET /health: 503" }))
          )
      }),
      Layer.succeed(Readiness, {
        waits: config.readiness !== "started",
        prepare: () =>
          behaviour.broken === "prepare" ? Effect.die(new Error("no plan")) : Effect.succeed({
            env: {},
            ready: (observe) => {
              const look: Effect.Effect<string> = Effect.suspend(() =>
                behaviour.broken === "readiness"
                  ? Effect.die(new Error("no eyes"))
                  : behaviour.getsReady
                  ? Effect.succeed("it says so")
                  : observe("not yet").pipe(Effect.delay("200 millis"), Effect.zipRight(look))
              )
              return look
            }
          })
      })
    )
  }

  /** The tree over this machine; it comes up with the layer and goes down with it. */
  layer(config: TenementConfig): Layer.Layer<Tenement | Events.Events> {
    return Layer.tap(this.layerStopped(config), (context) => Context.get(context, Tenement).boot)
  }

  /** The same, before it comes up. */
  layerStopped(
    config: TenementConfig,
    layersFor: (config: ServiceConfig) => Layer.Layer<InstanceServices> = this.layersFor
  ): Layer.Layer<Tenement | Events.Events> {
    const services: ServicesFor = (service) => Layer.build(layersFor(service))
    return Root.layerStopped(config, services).pipe(
      Layer.provideMerge(Layer.mergeAll(
        Layer.succeed(Cgroups.Cgroups, {
          facts: { mode: "none", reason: "nothing here is limited", folders: [], missing: new Map() },
          make: () => Effect.succeed(null),
          adopt: () => Effect.succeed(null),
          sweep: (kept) => Effect.sync(() => this.sweep(kept)),
          of: () => null
        }),
        Layer.succeed(Launcher, {
          launch: (spec) => this.launch(spec),
          adopt: (adoption) => this.adopt(adoption)
        }),
        Layer.succeed(Sockets, {
          prepare: ({ publicPath }) => Effect.succeed({ publicPath, privatePath: `${publicPath}.private`, port: null }),
          publish: ({ instance }) =>
            this.of(parts(instance).service).actorDies || this.of(instance).actorDies
              ? Effect.die(new Error("a bug"))
              : Effect.void,
          leads: () => Effect.succeed(true),
          adopt: () => Effect.void,
          sweep: Effect.void,
          retire: () => Effect.void
        }),
        Layer.succeed(Connections, {
          open: (_, pid) =>
            Effect.sync(() => {
              const found = this.living.find((child) => child.pid === pid)
              return found === undefined ? null : this.of(parts(found.instance).service).connections
            })
        }),
        Layer.succeed(Logs, {
          open: () =>
            Effect.succeed({
              begin: () => Effect.succeed({ stdout: 1, stderr: 2 }),
              resume: () => Effect.void,
              end: Effect.void
            }),
          read: () => Stream.empty,
          last: () => Effect.succeed([]),
          lost: Effect.succeed(new Map()),
          forget: () => Effect.void,
          remove: (instance) =>
            this.of(parts(instance).service).logsStay
              ? new LogsFailed({ instance, path: "/logs", code: "EACCES", problem: "they cannot be deleted" })
              : Effect.void
        }),
        Layer.succeed(Levels, { of: () => Isolation.services.process }),
        Layer.succeed(Notify, { listen: () => Effect.die("nothing here waits for a message") }),
        Layer.succeed(Usage, { sample: () => Effect.succeed(new Map()) }),
        Metrics.layer,
        Layer.map(Events.layer, (context) => {
          const events = Context.get(context, Events.Events)
          const publish = (event: Events.NewEvent) =>
            Effect.zipRight(Effect.sync(() => this.options.hear?.(event)), events.publish(event))
          return Context.make(Events.Events, { ...events, publish })
        }),
        ReadinessRegistry.layer,
        StartSlots.layer(4)
      )),
      Layer.provide(Layer.sync(Store, () => this.store.open()))
    )
  }
}
