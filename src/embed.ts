/**
 * The supervisor inside a program of one's own: no file, no daemon, no control socket.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Path from "node:path"
import * as Directory from "./actors/Directory.ts"
import type { LayersFor } from "./actors/InstanceParts.ts"
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
import * as Dependencies from "./domain/Dependencies.ts"
import { GroupName, InstanceId, ServiceName } from "./domain/Names.ts"
import * as Events from "./layers/Events.ts"
import { forService } from "./layers/forService.ts"
import * as Launcher from "./layers/Launcher.ts"
import * as Lock from "./layers/Lock.ts"
import * as Logs from "./layers/Logs.ts"
import * as Metrics from "./layers/Metrics.ts"
import * as Notify from "./layers/Notify.ts"
import * as Sockets from "./layers/Sockets.ts"
import * as Usage from "./layers/Usage.ts"

// ---------------------------------------------------------------------------------------------------------------------
// What to run
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A service in a program's words: `name`, `command`, and whatever else of a `ServiceConfig` is not to be what a file has
 * by default. A `command` that is a text is split as the file's is. Times are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceOptions extends
  Partial<
    Omit<ServiceConfig, "name" | "source" | "argv" | "socketDeclared" | "dependsOn" | "instances" | "isolation">
  >
{
  readonly name: string
  readonly command: string | readonly [string, ...ReadonlyArray<string>]
  readonly dependsOn?: ReadonlyArray<string>
  readonly instances?: ReadonlyArray<string>
}

const program = "the program"

/**
 * A service with the file's defaults; relative paths are the working folder's. Throws if a name cannot be one.
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
    command,
    ...(cwd === undefined ? {} : { cwd }),
    ...(socket === undefined ? {} : { socket }),
    ...(health === undefined || health === null ? {} : { health }),
    ...(rest.backoffMaxMs === undefined ? {} : { backoff_max_ms: rest.backoffMaxMs })
  }
  const source = { file: program, path: Path.resolve(program), text: "", table: {}, problems: [] }
  const resolved = Resolve.service({ source, path: [], value: table }, {
    name: ServiceName.make(name),
    line: 1,
    command: CommandLine.words(table),
    inherited: SettingsTable.defaults,
    instances: instances.map((id) => InstanceId.make(id)),
    secrets: {}
  })
  return {
    ...resolved,
    ...rest,
    source: { file: program, line: 1 },
    dependsOn: dependsOn.map((other) => ServiceName.make(other)),
    isolation: "process"
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
 * A whole configuration. All that it keeps is in `.tenement` of the working folder, unless `settings.dataDir` names
 * another place.
 *
 * @since 0.1.0
 * @category constructors
 */
export const config = (options: {
  readonly services: ReadonlyArray<ServiceConfig>
  readonly groups?: ReadonlyArray<GroupConfig>
  readonly settings?: Partial<Settings>
}): TenementConfig => {
  const dataDir = Path.resolve(options.settings?.dataDir ?? ".tenement")
  const settings = Resolve.settings(
    { ...SettingsTable.defaults, data_dir: dataDir, run_dir: `${dataDir}/run`, listen: null },
    { folder: dataDir, host: Host.current(), socket: `${dataDir}/tenement.sock` }
  )
  return {
    file: program,
    settings: { ...settings, ...options.settings, dataDir },
    services: new Map(options.services.map((one) => [one.name, one])),
    groups: new Map((options.groups ?? []).map((one) => [one.name, one]))
  }
}

/**
 * The services of a configuration do not go together. Nothing was started.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unsound extends Schema.TaggedError<Unsound>()("Unsound", {
  problems: Schema.NonEmptyArray(Schema.String)
}) {
  override get message() {
    return this.problems.join("\n")
  }
}

const problemsOf = ({ groups, services }: TenementConfig): ReadonlyArray<string> => {
  const graph = new Map([...services.values()].map(({ dependsOn, name }) => [name, dependsOn]))
  const cycle = Dependencies.findCycle(graph)
  const missing = (of: string, names: ReadonlyArray<ServiceName>) =>
    names.flatMap((name) => services.has(name) ? [] : [`${of} names ${name}, and there is no such service`])
  const members = [...groups.values()].flatMap((one) => one.services)
  return [
    ...[...services.values()].flatMap(({ argv, name }) =>
      argv.length === 0 ? [`${name}: command names no program`] : []
    ),
    ...[...graph].flatMap(([name, dependsOn]) => missing(`dependsOn of ${name}`, dependsOn)),
    ...(cycle === undefined ? [] : [`these wait for each other: ${cycle.join(" -> ")}`]),
    ...[...groups.values()].flatMap((one) => missing(`group ${one.name}`, one.services)),
    ...members.flatMap((name, index) => members.indexOf(name) === index ? [] : [`${name} is in a group already`])
  ]
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
  | Sockets.Sockets
  | Logs.Logs
  | Events.Events
  | Metrics.Metrics
  | Usage.Usage
  | Notify.Notify
  | Directory.Directory
  | StartSlots.StartSlots

/**
 * This machine: real processes, sockets and files.
 *
 * @since 0.1.0
 * @category layers
 */
export const machine = (settings: Settings): Layer.Layer<Machine> =>
  Layer.mergeAll(
    Launcher.layer,
    Sockets.layer({ runDir: settings.runDir }),
    Logs.layer({ dataDir: settings.dataDir, maxBytes: settings.logMaxBytes, keep: settings.logKeep }),
    Events.layer,
    Metrics.layer,
    Usage.layer,
    Notify.layer,
    Directory.layer,
    StartSlots.layer(settings.startConcurrency)
  )

/**
 * The tree on this machine, with nothing started before `boot` is called. Nothing is checked or locked either.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerAtRest = (config: TenementConfig, layers: LayersFor = forService): Layer.Layer<Tenement> =>
  Layer.provide(Root.layerAtRest(config, layers), machine(config.settings))

/**
 * The tree on this machine: everything is started when the layer is built, and stopped in order when it is released.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  config: TenementConfig,
  layers: LayersFor = forService
): Layer.Layer<Tenement, Unsound | Lock.AlreadyRunning | Lock.LockFailed> =>
  Layer.suspend((): Layer.Layer<Tenement, Unsound | Lock.AlreadyRunning | Lock.LockFailed> => {
    const [first, ...others] = problemsOf(config)
    if (first !== undefined) return Layer.fail(new Unsound({ problems: [first, ...others] }))
    return layerAtRest(config, layers).pipe(
      Layer.tap((context) => Context.get(context, Tenement).boot),
      Layer.provide(Lock.layer(config.settings.dataDir))
    )
  })
