/**
 * Fills in what the file leaves open: defaults, absolute paths, the words of commands.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Path from "node:path"
import type { GroupConfig, ServiceConfig, Settings } from "../domain/Config.ts"
import { defaultId, type GroupName, type InstanceId, type ServiceName } from "../domain/Names.ts"
import * as Template from "../domain/Template.ts"
import type { CommandLine } from "./CommandLine.ts"
import type { Declaration } from "./Declarations.ts"
import * as EnvFiles from "./EnvFiles.ts"
import type { GroupTable } from "./GroupTable.ts"
import * as Host from "./Host.ts"
import type { ServiceTable } from "./ServiceTable.ts"
import type { SettingsTable } from "./SettingsTable.ts"

/**
 * The settings; `socket` is the control socket's path if a person named it, which counts more than the file's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const settings = (
  table: SettingsTable,
  options: { readonly folder: string; readonly host: Host.Host; readonly socket: string | undefined }
): Settings => {
  const { folder, host } = options
  const path = (written: string | undefined) => written === undefined ? undefined : Path.resolve(folder, written)
  const socket = (options.socket === undefined ? path(table.socket) : Path.resolve(options.socket)) ??
    Host.controlSocket(host)
  return {
    dataDir: path(table.data_dir) ?? Host.dataDir(host),
    socket,
    runDir: path(table.run_dir) ?? Host.runDir(socket),
    listen: table.listen,
    domain: table.domain,
    syslog: table.syslog,
    startConcurrency: table.start_concurrency ?? 2 * host.cores,
    cgroupRoot: table.cgroup_root ?? null,
    logMaxBytes: Math.round(table.log_max_mb * 1024 ** 2),
    logKeep: table.log_keep
  }
}

const beginsAbsolute = /^(\/|\{(data_dir|instance_dir|run_dir)\})/

const absolute = (template: string, folder: string): string =>
  beginsAbsolute.test(template) ? template : `${Template.escape(folder)}/${template.replace(/^(\.\/+)+/, "")}`

const readiness = (table: ServiceTable): ServiceConfig["readiness"] => {
  if (table.readiness !== undefined) return table.readiness
  // A socket that the supervisor listens on says nothing of the program.
  return table.health !== undefined ? "health" : table.socket !== undefined && !table.socket_activation
    ? "socket"
    : "started"
}

/**
 * A service. `inherited` are the settings that it may set itself, `instances` what `[instances]` says of it. What is
 * wrong with it is another matter: see the checks.
 *
 * @since 0.1.0
 * @category combinators
 */
export const service = (
  declaration: Declaration<ServiceTable>,
  options: {
    readonly name: ServiceName
    readonly line: number
    readonly command: CommandLine
    readonly inherited: SettingsTable
    readonly instances: ReadonlyArray<InstanceId> | undefined
    readonly secrets: Readonly<Record<string, string>>
  }
): ServiceConfig => {
  const { source, value: table } = declaration
  const { inherited } = options
  const folder = Path.dirname(source.path)
  const backoffMaxMs = table.backoff_max_ms ?? inherited.backoff_max_ms
  return {
    name: options.name,
    source: { file: source.path, line: options.line },
    argv: Either.getOrElse(options.command, () => []).map(({ text }) => text),
    cwd: absolute(table.cwd ?? "", folder).replace(/(?<=.)\/+$/, ""),
    env: table.env ?? {},
    envFiles: EnvFiles.pathsOf(declaration),
    secrets: options.secrets,
    user: table.user ?? null,
    group: table.group ?? null,
    socket: table.socket === undefined ? "{run_dir}/{name}-{id}.sock" : absolute(table.socket, folder),
    socketDeclared: table.socket !== undefined,
    socketMode: table.socket_mode,
    port: table.port ?? null,
    socketActivation: table.socket_activation,
    health: table.health ?? null,
    healthIntervalMs: table.health_interval ?? inherited.health_check_interval,
    healthTimeoutMs: table.health_timeout,
    healthRetries: table.health_retries,
    readiness: readiness(table),
    startupTimeoutMs: table.startup_timeout,
    restart: table.restart,
    maxRestarts: table.max_restarts ?? inherited.max_restarts,
    restartWindowMs: table.restart_window ?? inherited.restart_window,
    backoffBaseMs: table.backoff_base_ms ?? inherited.backoff_base_ms,
    backoffMaxMs,
    backoffJitter: table.backoff_jitter,
    stableAfterMs: table.stable_after ?? backoffMaxMs,
    stopSignal: table.stop_signal,
    stopTimeoutMs: table.stop_timeout,
    dependsOn: table.depends_on,
    instances: table.instances ?? options.instances ?? [defaultId],
    isolation: table.isolation,
    network: table.network ?? (table.isolation === "sandbox" ? "none" : "host"),
    privateTmp: table.private_tmp ?? table.isolation === "sandbox",
    capabilities: table.capabilities,
    sandboxRuntime: table.sandbox_runtime,
    memoryLimitBytes: table.memory_limit_mb === undefined ? null : Math.round(table.memory_limit_mb * 1024 ** 2),
    cpuShares: table.cpu_shares ?? null,
    cpuLimit: table.cpu_limit ?? null,
    pidsLimit: table.pids_limit ?? null,
    restartMode: table.restart_mode,
    drainTimeoutMs: table.drain_timeout,
    idleTimeoutMs: table.idle_timeout,
    weight: table.weight
  }
}

/**
 * A group.
 *
 * @since 0.1.0
 * @category combinators
 */
export const group = (name: GroupName, table: GroupTable, inherited: SettingsTable): GroupConfig => ({
  name,
  services: table.services,
  strategy: table.strategy,
  maxRestarts: table.max_restarts ?? inherited.max_restarts,
  restartWindowMs: table.restart_window ?? inherited.restart_window
})
