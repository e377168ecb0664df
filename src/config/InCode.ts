/**
 * A configuration that a program writes in code, with the defaults that a file has.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Path from "node:path"
import type { GroupConfig, ServiceConfig, Settings, TenementConfig } from "../domain/Config.ts"
import { ConfigInvalid } from "../domain/Errors.ts"
import { defaultId, GroupName, InstanceId, InstanceName, instanceName, ServiceName } from "../domain/Names.ts"
import * as Routing from "../domain/Routing.ts"
import * as CommandLine from "./CommandLine.ts"
import * as GroupTable from "./GroupTable.ts"
import * as Host from "./Host.ts"
import * as Resolve from "./Resolve.ts"
import * as ServiceTable from "./ServiceTable.ts"
import * as SettingsTable from "./SettingsTable.ts"

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
