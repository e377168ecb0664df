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
import type * as InstanceParts from "./actors/InstanceParts.ts"
import * as ReadinessRegistry from "./actors/ReadinessRegistry.ts"
import * as Root from "./actors/Root.ts"
import * as StartSlots from "./actors/StartSlots.ts"
import { Tenement } from "./actors/Tenement.ts"
import type { ServiceConfig, Settings, TenementConfig } from "./domain/Config.ts"
import type { ConfigInvalid } from "./domain/Errors.ts"
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

export * from "./config/InCode.ts"

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
