/**
 * From a configuration back to the files: which key of which file says what is wrong.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Fault, Path } from "../domain/Fault.ts"
import type { GroupName, ServiceName } from "../domain/Names.ts"
import * as CommandLine from "./CommandLine.ts"
import { type Declarations, declares, within } from "./Declarations.ts"
import { atBoth, atValue, type Place, type Problem } from "./Problem.ts"
import type { Source } from "./Source.ts"

/**
 * What the files say.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /** Where the settings are. */
  readonly main: Source
  readonly declared: Declarations
}

/** Keys whose names are not those of the file. */
const inFile: Readonly<Record<string, string>> = {
  backoffBaseMs: "backoff_base_ms",
  dependsOn: "depends_on",
  privateTmp: "private_tmp",
  restartMode: "restart_mode",
  runDir: "run_dir",
  socketActivation: "socket_activation"
}

/** What a service says of its restarts counts, and what it leaves open is up to the settings. */
const backoffKeys = ["backoff_base_ms", "backoff_max_ms"]

const placeOf = ({ declared, main }: Files, path: Path): Place | undefined => {
  const [table, name, property, ...rest] = path
  if (table === "settings") return { source: main, path: [table, inFile[String(name)] ?? String(name)] }
  if (table === "routing") return { source: main, path }
  const key = inFile[String(property)] ?? String(property)
  if (table === "group") {
    const group = declared.groups.get(name as GroupName)
    return group && within(group, key, ...rest)
  }
  const service = declared.services.get(name as ServiceName)
  if (service === undefined) return undefined
  if (key === "command") {
    // What could not be split has its problem already.
    return Option.getOrUndefined(
      Option.map(
        Either.getRight(CommandLine.words(service.value)),
        (words) => within(service, ...words[Number(rest[0])]?.path ?? [key])
      )
    )
  }
  if (declares(service, key)) return within(service, key, ...rest)
  const instances = key === "instances" ? declared.instances.get(name as ServiceName) : undefined
  if (instances !== undefined) return within(instances, ...rest)
  if (!backoffKeys.includes(key)) return within(service, key, ...rest)
  const settings = { source: main, path: ["settings"], value: null }
  const places = [service, settings].flatMap((at) =>
    backoffKeys.flatMap((key) => declares(at, key) ? [within(at, key)] : [])
  )
  return places[0] ?? within(service, key)
}

/**
 * The problem in the files that a fault is; `None` if it comes of another that is told already.
 *
 * @since 0.1.0
 * @category combinators
 */
export const problem = (files: Files, fault: Fault): Option.Option<Problem> => {
  const place = placeOf(files, fault.path)
  if (place === undefined) return Option.none()
  const { message, needs, other } = fault
  if (needs !== undefined) {
    const service = files.declared.services.get(fault.path[1] as ServiceName)
    if (service !== undefined && declares(service, needs)) return Option.none()
  }
  const otherPlace = other && placeOf(files, other)
  return Option.some(
    otherPlace === undefined ? atValue(place.source, place.path, message) : atBoth(place, otherPlace, message)
  )
}
