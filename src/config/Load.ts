/**
 * From a file to a configuration.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Path from "node:path"
import type { TenementConfig } from "../domain/Config.ts"
import { ConfigInvalid } from "../domain/Errors.ts"
import * as Routing from "../domain/Routing.ts"
import * as Soundness from "../domain/Soundness.ts"
import * as CommandLine from "./CommandLine.ts"
import * as Declarations from "./Declarations.ts"
import * as EnvFiles from "./EnvFiles.ts"
import * as FaultPlaces from "./FaultPlaces.ts"
import * as Host from "./Host.ts"
import * as Includes from "./Includes.ts"
import * as NotYet from "./NotYet.ts"
import * as Positions from "./Positions.ts"
import { atLine, atValue, type Problem } from "./Problem.ts"
import * as Resolve from "./Resolve.ts"
import { serviceLines } from "./ServiceLines.ts"
import * as SettingsTable from "./SettingsTable.ts"

/**
 * `socket`: the control socket, if a person named it; it counts more than the file's. `host`: what defaults depend on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly socket?: string | undefined
  readonly host?: Host.Host
}

const smallest = `no [service.NAME] is declared; the smallest file that works:

  [service.web]
  command = "./web"
  isolation = "process"
`

/**
 * Reads a configuration with all that it includes, checks it, and fills in the defaults. All that is wrong is told at
 * once; nothing is started, made or changed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = Effect.fn("Load.load")(function*(
  file: string,
  options: Options = {}
): Effect.fn.Return<TenementConfig, ConfigInvalid, FileSystem.FileSystem> {
  const { files, problems } = yield* Includes.read(file)
  const main = files[0]
  if (main === undefined) return yield* invalid(problems)
  const declared = Declarations.collect(files)
  const secrets = yield* EnvFiles.read(declared.services)
  const inherited = { ...SettingsTable.defaults, ...main.file.settings }
  const settings = Resolve.settings(inherited, {
    folder: Path.dirname(main.source.path),
    host: options.host ?? Host.current(),
    socket: options.socket
  })
  const lines = new Map(files.map(({ source }) => [source, serviceLines(source.text)]))
  const services = [...declared.services].map(([name, declaration]) => {
    const command = CommandLine.words(declaration.value)
    const config = Resolve.service(declaration, {
      name,
      line: lines.get(declaration.source)?.get(name) ?? 1,
      command,
      inherited,
      instances: declared.instances.get(name)?.value,
      secrets: secrets.of.get(name) ?? {}
    })
    return { declaration, command, config }
  })
  const config: TenementConfig = {
    file: main.source.path,
    settings,
    services: new Map(services.map(({ config }) => [config.name, config])),
    groups: new Map([...declared.groups].map(([name, { value }]) => [name, Resolve.group(name, value, inherited)])),
    routing: { ...Routing.none, ...main.file.routing }
  }
  const all: ReadonlyArray<Problem> = [
    ...problems,
    ...files.flatMap(NotYet.check),
    ...declared.problems,
    ...secrets.problems,
    ...services.flatMap(({ command, declaration: { path, source } }) =>
      Either.isLeft(command) ? [atValue(source, [...path, "command"], command.left)] : []
    ),
    ...Soundness.faults(config, declared.serviceNames).flatMap((fault) =>
      Option.toArray(FaultPlaces.problem({ main: main.source, declared }, fault))
    )
  ]
  if (all.length > 0) return yield* invalid(all)
  if (services.length === 0) return yield* invalid([atLine(file, smallest)])
  return config
})

const invalid = (problems: ReadonlyArray<Problem>): Effect.Effect<never, ConfigInvalid> =>
  Effect.flatMap(
    Positions.locate(problems),
    (issues) => Arr.isNonEmptyReadonlyArray(issues) ? new ConfigInvalid({ issues }) : Effect.die("no problem was told")
  )
