/**
 * The configuration after everything was checked: defaults filled in, durations in milliseconds, paths absolute.
 * How a `tenement.toml` becomes this is the business of `config/`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { GroupName, InstanceId, ServiceName } from "./Names.ts"
import type { Routing } from "./Routing.ts"
import type { Signal } from "./Signal.ts"
import type { Strategy } from "./Strategy.ts"

/**
 * When a run that ended is followed by another: `on-failure` after a non-zero exit, a signal, an out-of-memory kill, failing
 * health or a failed start; a person's stop is never followed by a restart.
 *
 * @since 0.1.0
 * @category models
 */
export const RestartMode = Schema.Literal("always", "on-failure", "never").annotations({ identifier: "Restart" })
/** @since 0.1.0 */
export type RestartMode = typeof RestartMode.Type

/**
 * Which run is there first when a person, or a new file, restarts an instance: `rolling` starts the next one and stops the
 * one before when that is ready.
 *
 * @since 0.1.0
 * @category models
 */
export const RolloutMode = Schema.Literal("sequential", "rolling").annotations({ identifier: "RolloutMode" })
/** @since 0.1.0 */
export type RolloutMode = typeof RolloutMode.Type

/**
 * What tells that an instance can be used.
 *
 * @since 0.1.0
 * @category models
 */
export const ReadinessMode = Schema.Literal("health", "socket", "port", "notify", "started").annotations({
  identifier: "Readiness"
})
/** @since 0.1.0 */
export type ReadinessMode = typeof ReadinessMode.Type

/**
 * How far an instance is kept from its host.
 *
 * @since 0.1.0
 * @category models
 */
export const IsolationLevel = Schema.Literal("process", "namespace", "sandbox").annotations({ identifier: "Isolation" })
/** @since 0.1.0 */
export type IsolationLevel = typeof IsolationLevel.Type

/**
 * What a run may use; `null` is no limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly memoryLimitBytes: number | null
  /** Its weight when the processors are busy; 100 is what a run has that nobody weighed. */
  readonly cpuShares: number | null
  /** Processors, or a part of one, that it gets and no more, even when they are idle. */
  readonly cpuLimit: number | null
  /** Processes and threads. */
  readonly pidsLimit: number | null
}

/**
 * No limit at all.
 *
 * @since 0.1.0
 * @category constants
 */
export const unlimited: Limits = { memoryLimitBytes: null, cpuShares: null, cpuLimit: null, pidsLimit: null }

/**
 * `[settings]`. `runDir` is the folder of public sockets, `{run_dir}` in the file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  readonly dataDir: string
  readonly socket: string
  readonly runDir: string
  readonly listen: { readonly host: string; readonly port: number } | null
  readonly domain: string
  /** Where nginx tells what it served, by datagrams; on loopback. */
  readonly syslog: { readonly host: string; readonly port: number } | null
  readonly startConcurrency: number
  /** Where instances get their cgroups; `null` is the supervisor's own cgroup. */
  readonly cgroupRoot: string | null
  readonly logMaxBytes: number
  readonly logKeep: number
}

/**
 * `[service.NAME]`. Strings that may hold templates (`{id}`, `{socket}`, …) are still templates here: some of their
 * words are known only when an instance is launched.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceConfig extends Limits {
  readonly name: ServiceName
  /** The file and line that declare it. */
  readonly source: { readonly file: string; readonly line: number }
  /** The words of the command, templates not yet replaced. Never empty. */
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** The files that `secrets` were read from. */
  readonly envFiles: ReadonlyArray<string>
  /** What `env_file` holds; its values are never shown, its names are. */
  readonly secrets: Readonly<Record<string, string>>
  readonly user: string | null
  readonly group: string | null
  /** The public path, a template. */
  readonly socket: string
  /** The public path of an instance that has another one than `socket` gives it. */
  readonly publicPath?: string
  /** Whether the file names the socket itself, which makes it the sign of readiness. */
  readonly socketDeclared: boolean
  /** Permission bits given to the socket when the instance is ready. */
  readonly socketMode: number
  readonly port: number | "auto" | null
  /** Whether the supervisor listens for it, and hands the socket over. */
  readonly socketActivation: boolean
  /** Path of the HTTP probe, `null` without health checks. */
  readonly health: string | null
  readonly healthIntervalMs: number
  readonly healthTimeoutMs: number
  readonly healthRetries: number
  readonly readiness: ReadinessMode
  readonly startupTimeoutMs: number
  readonly restart: RestartMode
  /** `Infinity` for `"unlimited"`. */
  readonly maxRestarts: number
  readonly restartWindowMs: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  /** A share of the delay, 0 to 1. */
  readonly backoffJitter: number
  readonly stableAfterMs: number
  readonly stopSignal: Signal
  readonly stopTimeoutMs: number
  readonly dependsOn: ReadonlyArray<ServiceName>
  readonly instances: ReadonlyArray<InstanceId>
  readonly isolation: IsolationLevel
  readonly network: "host" | "none"
  readonly privateTmp: boolean
  /** Capabilities, `CAP_NET_BIND_SERVICE`, that it holds in spite of its isolation. */
  readonly capabilities: ReadonlyArray<string>
  readonly sandboxRuntime: "gvisor" | "bubblewrap"
  readonly restartMode: RolloutMode
  /** How long a run that was replaced may take to finish what is open on it. */
  readonly drainTimeoutMs: number
  /** Without use for so long, an instance is put to sleep; 0 is never. */
  readonly idleTimeoutMs: number
  readonly weight: number
}

/**
 * `[group.NAME]`: services whose fates are tied, in start order.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroupConfig {
  readonly name: GroupName
  readonly services: ReadonlyArray<ServiceName>
  readonly strategy: Strategy
  readonly maxRestarts: number
  readonly restartWindowMs: number
}

/**
 * A whole configuration.
 *
 * @since 0.1.0
 * @category models
 */
export interface TenementConfig {
  /** The file it began with, absolute. */
  readonly file: string
  readonly settings: Settings
  readonly services: ReadonlyMap<ServiceName, ServiceConfig>
  readonly groups: ReadonlyMap<GroupName, GroupConfig>
  readonly routing: Routing
}

/**
 * The group a service belongs to, if any; a service is in one group at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const groupOf = (config: TenementConfig, service: ServiceName): GroupConfig | undefined => {
  for (const group of config.groups.values()) if (group.services.includes(service)) return group
  return undefined
}
