/**
 * The supervisor inside a program of one's own: no file, no daemon, no control socket.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import type * as InstanceParts from "./actors/InstanceParts.ts"
import * as ReadinessRegistry from "./actors/ReadinessRegistry.ts"
import * as Root from "./actors/Root.ts"
import * as StartSlots from "./actors/StartSlots.ts"
import { Tenement } from "./actors/Tenement.ts"
import * as CommandLine from "./config/CommandLine.ts"
import * as GroupTable from "./config/GroupTable.ts"
import * as Host from "./config/Host.ts"
import * as Resolve from "./config/Resolve.ts"
import * as ServiceTable from "./config/ServiceTable.ts"
import * as SettingsTable from "./config/SettingsTable.ts"
import type { GroupConfig, ServiceConfig, Settings, TenementConfig } from "./domain/Config.ts"
import { ConfigInvalid } from "./domain/Errors.ts"
import { defaultId, GroupName, InstanceId, InstanceName, instanceName, ServiceName } from "./domain/Names.ts"
import * as Routing from "./domain/Routing.ts"
import * as Soundness from "./domain/Soundness.ts"
import * as Cgroups from "./layers/Cgroups.ts"
import * as Connections from "./layers/Connections.ts"
import type { StoreFailed, StoreTooNew } from "./layers/Errors.ts"
import * as Events from "./layers/Events.ts"
import { fromFile, type InstanceServices, type Replaceable, withoutParts } from "./layers/forService.ts"
import * as Launcher from "./layers/Launcher.ts"
import * as Levels from "./layers/Levels.ts"
import * as Lock from "./layers/Lock.ts"
import * as Logs from "./layers/Logs.ts"
import * as Metrics from "./layers/Metrics.ts"
import * as Notify from "./layers/Notify.ts"
import * as Sockets from "./layers/Sockets.ts"
import * as Store from "./layers/Store.ts"
import * as Usage from "./layers/Usage.ts"

// ---------------------------------------------------------------------------------------------------------------------
// What to run
// ---------------------------------------------------------------------------------------------------------------------

/** What is known only of a service in a file, and what this module says in words of its own. */
type NotAsked = "source" | "envFiles" | "socketDeclared"

/**
 * A service in a program's words: `name`, `command`, and whatever else of a `ServiceConfig` is not to be what a file has
 * by default. A `command` that is a text is split as the file's is. Times are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceOptions
  extends Partial<Omit<ServiceConfig, NotAsked | "name" | "argv" | "dependsOn" | "instances">>
{
  readonly name: string
  readonly command: string | readonly [string, ...ReadonlyArray<string>]
  readonly dependsOn?: ReadonlyArray<string>
  readonly instances?: ReadonlyArray<string>
}

const program = "the program"

const invalid = (key: string, message: string): ConfigInvalid =>
  new ConfigInvalid({ issues: [{ file: program, line: null, column: null, key, message }] })

/**
 * A service with the file's defaults; relative paths are the working folder's. Throws if a name cannot be one, or a
 * `command` cannot be split into words.
 *
 * @example
 * ```ts
 * import { Embed } from "tenement"
 *
 * export const cache = Embed.service({ name: "cache", command: "redis-server --port 0", stopTimeoutMs: 2000 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const service = (options: ServiceOptions): ServiceConfig => {
  const { command, cwd, dependsOn = [], health, instances = ["default"], name, socket, ...rest } = options
  const table: ServiceTable.ServiceTable = {
    ...ServiceTable.defaults,
    isolation: rest.isolation ?? "process",
    command,
    ...(cwd === undefined ? {} : { cwd }),
    ...(socket === undefined ? {} : { socket }),
    ...(health === undefined || health === null ? {} : { health }),
    ...(rest.socketActivation === undefined ? {} : { socket_activation: rest.socketActivation }),
    ...(rest.backoffMaxMs === undefined ? {} : { backoff_max_ms: rest.backoffMaxMs })
  }
  const words = CommandLine.words(table)
  if (Either.isLeft(words)) throw invalid(`service.${name}.command`, words.left)
  const source = { file: program, path: Path.resolve(program), text: "", table: {}, problems: [] }
  const resolved = Resolve.service({ source, path: [], value: table }, {
    name: ServiceName.make(name),
    line: 1,
    command: words,
    inherited: SettingsTable.defaults,
    instances: instances.map((id) => InstanceId.make(id)),
    secrets: {}
  })
  return {
    ...resolved,
    ...rest,
    source: { file: program, line: 1 },
    dependsOn: dependsOn.map((other) => ServiceName.make(other))
  }
}

/**
 * A group in a program's words.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroupOptions extends Partial<Omit<GroupConfig, "name" | "services">> {
  readonly name: string
  /** In start order. */
  readonly services: ReadonlyArray<string>
}

/**
 * A group with the file's defaults. Throws if a name cannot be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const group = ({ name, services, ...rest }: GroupOptions): GroupConfig => ({
  strategy: GroupTable.defaults.strategy,
  maxRestarts: SettingsTable.defaults.max_restarts,
  restartWindowMs: SettingsTable.defaults.restart_window,
  ...rest,
  name: GroupName.make(name),
  services: services.map((member) => ServiceName.make(member))
})

/**
 * The name of an instance: `web:blue`, or `web` for `web:default`. Throws if it cannot be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const instance = (name: string): InstanceName =>
  name.includes(":") ? InstanceName.make(name) : instanceName(ServiceName.make(name), defaultId)

/**
 * The settings that mean something without a control socket.
 *
 * @since 0.1.0
 * @category models
 */
export type SettingsOptions = Partial<Omit<Settings, "socket" | "listen" | "domain" | "syslog">>

const byName = <N extends string, A extends { readonly name: N }>(table: string, all: ReadonlyArray<A>) => {
  const named = new Map<N, A>()
  for (const one of all) {
    if (named.has(one.name)) throw invalid(`${table}.${one.name}`, "declared twice")
    named.set(one.name, one)
  }
  return named
}

/**
 * A whole configuration. All that it keeps is in `.tenement` of the working folder, unless `settings.dataDir` names
 * another place. Throws if two services or two groups have the same name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const config = (options: {
  readonly services: ReadonlyArray<ServiceConfig>
  readonly groups?: ReadonlyArray<GroupConfig>
  readonly settings?: SettingsOptions
}): TenementConfig => {
  const dataDir = Path.resolve(options.settings?.dataDir ?? ".tenement")
  const runDir = Path.resolve(options.settings?.runDir ?? `${dataDir}/.run`)
  const settings = Resolve.settings(
    { ...SettingsTable.defaults, data_dir: dataDir, run_dir: runDir, listen: null },
    { folder: dataDir, host: Host.current(), socket: `${dataDir}/tenement.sock` }
  )
  return {
    file: program,
    settings: { ...settings, ...options.settings, dataDir, runDir },
    services: byName("service", options.services),
    groups: byName("group", options.groups ?? []),
    routing: Routing.none
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Running it
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What all instances share.
 *
 * @since 0.1.0
 * @category models
 */
export type Machine =
  | Launcher.Launcher
  | Cgroups.Cgroups
  | Sockets.Sockets
  | Connections.Connections
  | Logs.Logs
  | Events.Events
  | Metrics.Metrics
  | Usage.Usage
  | Notify.Notify
  | Levels.Levels
  | ReadinessRegistry.ReadinessRegistry
  | StartSlots.StartSlots
  | Store.Store

/**
 * This machine: real processes, sockets and files.
 *
 * @since 0.1.0
 * @category layers
 */
export const machine = (settings: Settings): Layer.Layer<Machine, StoreFailed | StoreTooNew> =>
  Layer.provideMerge(machineOver(settings), Store.layer(settings.dataDir))

const logs = ({ dataDir, logKeep, logMaxBytes }: Settings) =>
  Layer.unwrapEffect(
    Effect.map(Metrics.Metrics, ({ linesLost }) =>
      Logs.layer({ dataDir, maxBytes: logMaxBytes, keep: logKeep, onLost: linesLost }))
  )

const machineOver = (settings: Settings) =>
  Layer.mergeAll(
    Launcher.layer,
    Layer.provideMerge(Usage.layer, Cgroups.auto({ dataDir: settings.dataDir, root: settings.cgroupRoot })),
    Sockets.layer(settings),
    Connections.layer,
    Layer.provideMerge(logs(settings), Metrics.layer),
    Events.layer,
    Notify.layer,
    Levels.layer(settings),
    ReadinessRegistry.layer,
    StartSlots.layer(settings.startConcurrency)
  )

/**
 * The layers of a service's instances: `forService`, or what a program makes of it.
 *
 * @since 0.1.0
 * @category models
 */
export type LayersFor<R> = (service: ServiceConfig) => Layer.Layer<InstanceServices, never, R>

/**
 * What is left of the needs of such layers for the program to provide.
 *
 * @since 0.1.0
 * @category models
 */
export type Remaining<R> = Exclude<R, InstanceParts.Shared | Replaceable<InstanceServices>>

const closed =
  <R>(layers: LayersFor<R>, program: Context.Context<Remaining<R>>): InstanceParts.ServicesFor => (service) =>
    Effect.mapInputContext(
      Layer.build(layers(service)),
      (own: Context.Context<InstanceParts.Shared | Scope.Scope>) =>
        // What is replaceable may be absent: that is what the type says.
        Context.merge(withoutParts(program), own) as Context.Context<R | Scope.Scope>
    )

/**
 * The tree on this machine, with nothing started before `boot` is called. Nothing is checked or locked either.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStopped = <R = never>(
  config: TenementConfig,
  layers?: LayersFor<R>
): Layer.Layer<Tenement, StoreFailed | StoreTooNew, Remaining<R>> =>
  Layer.unwrapEffect(
    Effect.map(Effect.context<Remaining<R>>(), (program) =>
      Root.layerStopped(config, layers === undefined ? fromFile : closed(layers, program)).pipe(
        Layer.provide(machine(config.settings))
      ))
  )

/**
 * Why the tree did not come up: what is wrong with the configuration, who else runs it, or what of `dataDir` cannot be
 * used.
 *
 * @since 0.1.0
 * @category errors
 */
export type NotUp = ConfigInvalid | Lock.AlreadyRunning | Lock.LockFailed | StoreFailed | StoreTooNew

/**
 * The tree on this machine: everything is started when the layer is built, and stopped in order when it is released.
 *
 * @example
 * ```ts
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Embed, forService, HealthCheck, type Unhealthy } from "tenement"
 *
 * class Redis extends Context.Tag("Redis")<Redis, {
 *   readonly ping: (path: string) => Effect.Effect<string, Unhealthy>
 * }>() {}
 *
 * const cache = Embed.service({ name: "cache", command: "redis-server --port 0", readiness: "health" })
 *
 * // Layer.Layer<Tenement.Tenement, Embed.NotUp, Redis>
 * export const tree = Embed.layer(Embed.config({ services: [cache] }), (service) =>
 *   forService(service).pipe(
 *     Layer.provide(HealthCheck.make((endpoint) => Effect.flatMap(Redis, ({ ping }) => ping(endpoint.privatePath))))
 *   ))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  config: TenementConfig,
  layers?: LayersFor<R>
): Layer.Layer<Tenement, NotUp, Remaining<R>> =>
  Layer.suspend((): Layer.Layer<Tenement, NotUp, Remaining<R>> => {
    const sound = Soundness.check(config, { ownChecks: layers !== undefined })
    if (Either.isLeft(sound)) return Layer.fail(sound.left)
    return layerStopped(config, layers).pipe(
      Layer.tap((context) => Context.get(context, Tenement).boot),
      Layer.provide(Lock.layer(config.settings.dataDir))
    )
  })
