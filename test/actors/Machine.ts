/**
 * A machine on which nothing is real but the actors: processes that tests start, end and question by hand, and a clock
 * that stands still until it is moved.
 */
import { afterAll } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as ReadinessRegistry from "../../src/actors/ReadinessRegistry.ts"
import * as Root from "../../src/actors/Root.ts"
import * as StartSlots from "../../src/actors/StartSlots.ts"
import { Tenement } from "../../src/actors/Tenement.ts"
import { type GroupConfig, type ServiceConfig, type TenementConfig, unlimited } from "../../src/domain/Config.ts"
import type { ExitStatus } from "../../src/domain/Exit.ts"
import { defaultId, GroupName, InstanceName, parts, ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import type { InstanceView, StateLabel } from "../../src/domain/Views.ts"
import * as Backoff from "../../src/layers/Backoff.ts"
import * as Cgroups from "../../src/layers/Cgroups.ts"
import { LaunchFailed, LogsFailed, Unhealthy } from "../../src/layers/Errors.ts"
import * as Events from "../../src/layers/Events.ts"
import type { InstanceServices } from "../../src/layers/forService.ts"
import { HealthCheck } from "../../src/layers/HealthCheck.ts"
import * as Isolation from "../../src/layers/Isolation.ts"
import { Launcher, type LaunchSpec } from "../../src/layers/Launcher.ts"
import { Levels } from "../../src/layers/Levels.ts"
import { Logs } from "../../src/layers/Logs.ts"
import * as Metrics from "../../src/layers/Metrics.ts"
import { Notify } from "../../src/layers/Notify.ts"
import { Readiness } from "../../src/layers/Readiness.ts"
import * as RestartPolicy from "../../src/layers/RestartPolicy.ts"
import { Sockets } from "../../src/layers/Sockets.ts"
import * as Store from "../../src/layers/Store.ts"
import { Usage } from "../../src/layers/Usage.ts"

export interface Child {
  readonly instance: InstanceName
  readonly incarnation: number
  readonly pid: number
  alive: boolean
  readonly signals: Array<string>
  readonly exit: (status: Partial<ExitStatus>) => Effect.Effect<void>
}

/** What programs do; by service name. */
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
  /** How long it takes to be launched, and to end when it is asked to. */
  launchMs: number
  stopMs: number
}

export const usual: Behaviour = {
  ignoresTerm: false,
  failsToLaunch: false,
  getsReady: true,
  healthy: true,
  broken: null,
  actorDies: false,
  logsStay: false,
  launchMs: 0,
  stopMs: 0
}

export class Machine {
  readonly children: Array<Child> = []
  /** Everything that happened to processes, in order: `start cart:default`, `end cart:default`. */
  readonly trace: Array<string> = []
  /** What must never happen, and did. */
  readonly violations: Array<string> = []
  private readonly behaviours = new Map<string, Behaviour>()
  private nextPid = 100

  of(service: string): Behaviour {
    const known = this.behaviours.get(service)
    if (known !== undefined) return known
    const made = { ...usual }
    this.behaviours.set(service, made)
    return made
  }

  get living(): ReadonlyArray<Child> {
    return this.children.filter(({ alive }) => alive)
  }

  /** The process that runs for an instance; it is an error if there is none. */
  child(instance: string): Child {
    const found = this.living.find((child) => child.instance === named(instance))
    if (found === undefined) throw new Error(`nothing runs for ${instance}`)
    return found
  }

  launch(spec: LaunchSpec) {
    const [service] = spec.instance.split(":") as [string]
    const behaviour = this.of(service)
    return Effect.acquireRelease(
      Effect.suspend(() => {
        if (behaviour.failsToLaunch) {
          return Effect.fail(
            new LaunchFailed({ instance: spec.instance, code: "ENOENT", what: "no such command", advice: "Make one." })
          )
        }
        if (this.living.some(({ instance }) => instance === spec.instance)) {
          this.violations.push(`a second ${spec.instance} was started`)
        }
        const exited = Deferred.unsafeMake<ExitStatus>(FiberId.none)
        const child: Child = {
          instance: spec.instance,
          incarnation: spec.incarnation,
          pid: this.nextPid++,
          alive: true,
          signals: [],
          exit: (status) =>
            Effect.suspend(() => {
              if (!child.alive) return Effect.void
              child.alive = false
              this.trace.push(`end ${spec.instance}`)
              return Deferred.succeed(exited, { code: null, signal: null, ...status })
            })
        }
        this.children.push(child)
        this.trace.push(`start ${spec.instance}`)
        return Effect.succeed({
          child,
          process: {
            pid: child.pid,
            programPid: Effect.succeed(child.pid),
            startTime: String(child.pid),
            exited: Deferred.await(exited),
            signal: (signal: NodeJS.Signals) =>
              Effect.suspend(() => {
                if (!child.alive) return Effect.void
                child.signals.push(signal)
                if (signal !== "SIGTERM" || behaviour.ignoresTerm) return Effect.void
                return behaviour.stopMs === 0
                  ? child.exit({ signal })
                  : Effect.asVoid(Effect.forkDaemon(Effect.delay(child.exit({ signal }), behaviour.stopMs)))
              }),
            hasStragglers: Effect.succeed(false),
            signalTree: () => Effect.void,
            treeGone: Effect.void,
            killTree: child.exit({ signal: "SIGKILL" }),
            survivors: Effect.succeed([])
          }
        })
      }).pipe(Effect.tap(() => behaviour.launchMs === 0 ? Effect.void : Effect.sleep(behaviour.launchMs))),
      ({ process }) => process.killTree
    ).pipe(Effect.map(({ process }) => process))
  }

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
  layerStopped(config: TenementConfig): Layer.Layer<Tenement | Events.Events> {
    return Root.layerStopped(config, (service) => Layer.build(this.layersFor(service))).pipe(
      Layer.provideMerge(Layer.mergeAll(
        Cgroups.none,
        Layer.succeed(Launcher, {
          launch: (spec) => this.launch(spec),
          adopt: () => Effect.die("nothing here outlives its supervisor")
        }),
        Layer.succeed(Sockets, {
          prepare: ({ publicPath }) => Effect.succeed({ publicPath, privatePath: `${publicPath}.private`, port: null }),
          publish: ({ instance }) =>
            this.of(parts(instance).service).actorDies || this.of(instance).actorDies
              ? Effect.die(new Error("a bug")) :
              Effect.void,
          leads: () => Effect.succeed(true),
          adopt: () => Effect.void,
          sweep: Effect.void,
          retire: () => Effect.void
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
        Events.layer,
        ReadinessRegistry.layer,
        StartSlots.layer(4)
      )),
      Layer.provide(Store.memory)
    )
  }
}

export const named = (instance: string): InstanceName =>
  InstanceName.make(instance.includes(":") ? instance : `${instance}:default`)

export const service = (name: string, options: Partial<ServiceConfig> = {}): ServiceConfig => ({
  name: ServiceName.make(name),
  source: { file: "tenement.toml", line: 1 },
  argv: [name],
  cwd: "/",
  env: {},
  envFiles: [],
  secrets: {},
  user: null,
  group: null,
  socket: "{run_dir}/{name}-{id}.sock",
  socketDeclared: false,
  socketMode: 0o666,
  port: null,
  health: null,
  healthIntervalMs: 1000,
  healthTimeoutMs: 500,
  healthRetries: 3,
  readiness: "started",
  startupTimeoutMs: 5000,
  restart: "on-failure",
  maxRestarts: 3,
  restartWindowMs: 60_000,
  backoffBaseMs: 100,
  backoffMaxMs: 1600,
  backoffJitter: 0,
  stableAfterMs: 10_000,
  stopSignal: "SIGTERM",
  stopTimeoutMs: 2000,
  dependsOn: [],
  instances: [defaultId],
  isolation: "process",
  network: "host",
  privateTmp: false,
  capabilities: [],
  sandboxRuntime: "gvisor",
  ...unlimited,
  weight: 100,
  ...options
})

export const on = (...names: ReadonlyArray<string>) => names.map((name) => ServiceName.make(name))

export const group = (
  name: string,
  strategy: Strategy,
  services: ReadonlyArray<string>,
  options: Partial<GroupConfig> = {}
): GroupConfig => ({
  name: GroupName.make(name),
  strategy,
  services: on(...services),
  maxRestarts: 3,
  restartWindowMs: 60_000,
  ...options
})

export const config = (
  services: ReadonlyArray<ServiceConfig>,
  groups: ReadonlyArray<GroupConfig> = []
): TenementConfig => ({
  file: "/etc/tenement/tenement.toml",
  settings: {
    dataDir: folder,
    socket: `${folder}/tenement.sock`,
    runDir: `${folder}/run`,
    listen: null,
    domain: "localhost",
    startConcurrency: 4,
    cgroupRoot: null,
    logMaxBytes: 1_000_000,
    logKeep: 1
  },
  services: new Map(services.map((one) => [one.name, one])),
  groups: new Map(groups.map((one) => [one.name, one])),
  routing: Routing.none
})

// The instances' own folders are the only thing here that touches the disk.
const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-actors-"))
afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

/** Lets everything happen that needs no time, then moves the clock. */
export const pass = (duration: Parameters<typeof TestClock.adjust>[0]) =>
  settle.pipe(Effect.zipRight(TestClock.adjust(duration)), Effect.zipRight(settle))

/** Lets everything happen that needs no time. */
export const settle = Effect.forEach(Array.from({ length: 300 }), () => Effect.yieldNow(), { discard: true })

export const look = (instance: string): Effect.Effect<InstanceView, never, Tenement> =>
  Effect.flatMap(Tenement, ({ list }) =>
    Effect.map(list, (all) => {
      const found = all.find(({ name }) => name === named(instance))
      if (found === undefined) throw new Error(`there is no ${instance}`)
      return found
    }))

export const stateOf = (instance: string): Effect.Effect<StateLabel, never, Tenement> =>
  Effect.map(look(instance), ({ state }) => state)
