/**
 * The keys of the file, read off a resolved configuration: what `config show` prints and what `reload` compares.
 *
 * @since 0.1.0
 */
import type { GroupConfig, ServiceConfig, Settings } from "./Config.ts"
import type { Routing } from "./Routing.ts"

/**
 * A value as the file writes it; `null` is a key that is not there.
 *
 * @since 0.1.0
 * @category models
 */
export type Value = string | number | boolean | ReadonlyArray<string> | Readonly<Record<string, string>> | null

/**
 * What a change of the key asks for: a new run, or nothing but the new value.
 *
 * @since 0.1.0
 * @category models
 */
export type Effort = "restart" | "update"

/**
 * One key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Key<A> {
  readonly name: string
  readonly effort: Effort
  readonly read: (config: A) => Value
}

const seconds = (ms: number): number => ms / 1000
const limit = (max: number): number | string => max === Infinity ? "unlimited" : max

const listening = (at: Settings["listen"]): string =>
  at === null ? "off" : `${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`

const keysOf = <A>(effort: Effort, readers: Readonly<Record<string, (config: A) => Value>>): ReadonlyArray<Key<A>> =>
  Object.entries(readers).map(([name, read]) => ({ name, effort, read }))

/**
 * `[settings]`. They hold for the life of a supervisor.
 *
 * @since 0.1.0
 * @category constants
 */
export const settings: ReadonlyArray<Key<Settings>> = keysOf("restart", {
  data_dir: (s) => s.dataDir,
  socket: (s) => s.socket,
  run_dir: (s) => s.runDir,
  listen: (s) => listening(s.listen),
  domain: (s) => s.domain,
  syslog: (s) => listening(s.syslog),
  start_concurrency: (s) => s.startConcurrency,
  cgroup_root: (s) => s.cgroupRoot,
  log_max_mb: (s) => s.logMaxBytes / 1024 ** 2,
  log_keep: (s) => s.logKeep
})

/**
 * `[service.NAME]`. Of `env_file` there are only the paths: what the files hold is never shown.
 *
 * @since 0.1.0
 * @category constants
 */
export const service: ReadonlyArray<Key<ServiceConfig>> = [
  ...keysOf<ServiceConfig>("restart", {
    command: (s) => s.argv,
    cwd: (s) => s.cwd,
    env: (s) => s.env,
    env_file: (s) => s.envFiles.length === 0 ? null : s.envFiles,
    user: (s) => s.user,
    group: (s) => s.group,
    socket: (s) => s.socketDeclared ? s.socket : null,
    socket_mode: (s) => s.socketMode.toString(8).padStart(4, "0"),
    port: (s) => s.port,
    socket_activation: (s) => s.socketActivation
  }),
  ...keysOf<ServiceConfig>("update", {
    health: (s) => s.health,
    health_interval: (s) => seconds(s.healthIntervalMs),
    health_timeout: (s) => seconds(s.healthTimeoutMs),
    health_retries: (s) => s.healthRetries,
    readiness: (s) => s.readiness,
    startup_timeout: (s) => seconds(s.startupTimeoutMs),
    restart: (s) => s.restart,
    max_restarts: (s) => limit(s.maxRestarts),
    restart_window: (s) => seconds(s.restartWindowMs),
    backoff_base_ms: (s) => s.backoffBaseMs,
    backoff_max_ms: (s) => s.backoffMaxMs,
    backoff_jitter: (s) => s.backoffJitter,
    stable_after: (s) => seconds(s.stableAfterMs),
    stop_signal: (s) => s.stopSignal,
    stop_timeout: (s) => seconds(s.stopTimeoutMs),
    depends_on: (s) => s.dependsOn,
    instances: (s) => s.instances,
    memory_limit_mb: (s) => s.memoryLimitBytes === null ? null : s.memoryLimitBytes / 1024 ** 2,
    cpu_shares: (s) => s.cpuShares,
    cpu_limit: (s) => s.cpuLimit,
    pids_limit: (s) => s.pidsLimit,
    restart_mode: (s) => s.restartMode,
    drain_timeout: (s) => seconds(s.drainTimeoutMs),
    idle_timeout: (s) => seconds(s.idleTimeoutMs),
    weight: (s) => s.weight
  }),
  ...keysOf<ServiceConfig>("restart", {
    isolation: (s) => s.isolation,
    network: (s) => s.network,
    private_tmp: (s) => s.privateTmp,
    capabilities: (s) => s.capabilities,
    sandbox_runtime: (s) => s.sandboxRuntime
  })
]

/**
 * `[group.NAME]`.
 *
 * @since 0.1.0
 * @category constants
 */
export const group: ReadonlyArray<Key<GroupConfig>> = keysOf("update", {
  services: (g) => g.services,
  strategy: (g) => g.strategy,
  max_restarts: (g) => limit(g.maxRestarts),
  restart_window: (g) => seconds(g.restartWindowMs)
})

const names = (all: Readonly<Record<string, string>>): Value => Object.keys(all).length === 0 ? null : all

/**
 * `[routing]`.
 *
 * @since 0.1.0
 * @category constants
 */
export const routing: ReadonlyArray<Key<Routing>> = keysOf("update", {
  default: (r) => r.default,
  subdomain: (r) => names(r.subdomain),
  path: (r) => names(r.path)
})
