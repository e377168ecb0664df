/**
 * The library: what the supervisor is made of, to be put together differently, or run inside a program of one's own.
 *
 * Each module is a namespace, as in effect itself: `Backoff.fromSchedule`, `Tenement.Tenement`. Errors are there by
 * their own names. A module of a part (`HealthCheck`, `Backoff`, …) has its tag, and each way of doing it as a layer.
 *
 * @since 0.1.0
 */

// Running the tree inside a program
export * as Tenement from "./actors/Tenement.ts"
export * as Embed from "./embed.ts"

// What an instance is made of
export * as Backoff from "./layers/Backoff.ts"
export * as Endpoint from "./layers/Endpoint.ts"
export { forService, type InstanceServices, type Replaceable } from "./layers/forService.ts"
export * as HealthCheck from "./layers/HealthCheck.ts"
export * as Isolation from "./layers/Isolation.ts"
export * as Readiness from "./layers/Readiness.ts"
export * as RestartPolicy from "./layers/RestartPolicy.ts"

// What all instances share
export * as ReadinessRegistry from "./actors/ReadinessRegistry.ts"
export * as StartSlots from "./actors/StartSlots.ts"
export * as Cgroups from "./layers/Cgroups.ts"
export * as Connections from "./layers/Connections.ts"
export * as Events from "./layers/Events.ts"
export * as Launcher from "./layers/Launcher.ts"
export * as Levels from "./layers/Levels.ts"
export * as Lock from "./layers/Lock.ts"
export * as Logs from "./layers/Logs.ts"
export * as Metrics from "./layers/Metrics.ts"
export * as Notify from "./layers/Notify.ts"
export * as Sockets from "./layers/Sockets.ts"
export * as Store from "./layers/Store.ts"
export * as Usage from "./layers/Usage.ts"

// The tree
export * as Root from "./actors/Root.ts"
export * as Supervisor from "./actors/Supervisor.ts"

// The pure core; `Cause`, `Exit` and `Config` are effect's own names
export * as InstanceCause from "./domain/Cause.ts"
export * as Configuration from "./domain/Config.ts"
export * as ConfigDiff from "./domain/ConfigDiff.ts"
export { decide, resume } from "./domain/decide.ts"
export * as Dependencies from "./domain/Dependencies.ts"
export * as InstanceExit from "./domain/Exit.ts"
export * as Explain from "./domain/Explain.ts"
export * as InstanceEvent from "./domain/InstanceEvent.ts"
export * as InstanceState from "./domain/InstanceState.ts"
export * as Instant from "./domain/Instant.ts"
export * as Intensity from "./domain/Intensity.ts"
export * as Names from "./domain/Names.ts"
export * as Strategy from "./domain/Strategy.ts"
export * as Views from "./domain/Views.ts"

// The file, and a supervisor that runs elsewhere
export * as Load from "./config/Load.ts"
export * as Api from "./control/Api.ts"
export * as Client from "./control/Client.ts"

// What can go wrong
export * from "./Errors.ts"
