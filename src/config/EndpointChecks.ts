/**
 * What can be wrong with sockets and ports: too long, or wanted by two.
 *
 * @since 0.1.0
 */
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { defaultId, instanceName } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import { type Declaration, within } from "./Declarations.ts"
import { atValue, type Place, type Problem, type Text } from "./Problem.ts"
import type { ServiceTable } from "./ServiceTable.ts"

// What the kernel's `sun_path` holds, without its final NUL.
const longest = 107

// Behind the public sockets, `{run_dir}/.run/DIGEST/RUN.sock`.
const privatePart = "/.run/0123456789abcdef/1000000000.sock".length

const tooLong = (path: string, most: number): string | undefined => {
  const bytes = Buffer.byteLength(path)
  return bytes <= most ? undefined : `the path ${path} has ${bytes} bytes, allowed: at most ${most}`
}

/**
 * What is wrong with the paths of the settings.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofSettings = ({ runDir, socket }: Settings, source: Text): ReadonlyArray<Problem> =>
  ([
    ["socket", tooLong(socket, longest)],
    ["run_dir", tooLong(runDir, longest - privatePart)]
  ] as const).flatMap(([key, message]) => message === undefined ? [] : [atValue(source, ["settings", key], message)])

/**
 * A service as it was written and as it was understood.
 *
 * @since 0.1.0
 * @category models
 */
export interface Resolved {
  readonly declaration: Declaration<ServiceTable>
  readonly config: ServiceConfig
}

/** What one instance wants for itself alone. */
interface Claim {
  readonly what: string
  readonly owner: string
  readonly place: Place
}

const port = (number: number): string => `port ${number}`

const claimsOf = ({ config, declaration }: Resolved, settings: Settings): ReadonlyArray<Claim> => {
  const socket = within(declaration, "socket")
  // A service that starts none can be given one at any time.
  return [...new Set(config.instances.length === 0 ? [defaultId] : config.instances)].flatMap((id) => {
    const owner = instanceName(config.name, id)
    const claims = [{ what: Path.normalize(Places.publicSocket(settings, config, id)), owner, place: socket }]
    return typeof config.port === "number"
      ? [...claims, { what: port(config.port), owner, place: within(declaration, "port") }]
      : claims
  })
}

const misshapen = (path: string): string | undefined =>
  path.endsWith("/") ? `${path} names a folder, allowed: the path of a file` : tooLong(path, longest)

/**
 * What is wrong with the sockets and ports of the instances that the file declares.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofServices = (services: ReadonlyArray<Resolved>, settings: Settings): ReadonlyArray<Problem> => {
  const owners = new Map([[settings.socket, "the control socket"]])
  if (settings.listen !== null && settings.listen.port !== 0) owners.set(port(settings.listen.port), "settings.listen")
  return services.flatMap((service) =>
    claimsOf(service, settings).flatMap(({ owner, place, what }) => {
      const isPath = what.startsWith("/")
      const earlier = owners.get(what)
      if (earlier === undefined) owners.set(what, owner)
      const message = earlier !== undefined
        ? `${what} of ${owner} is taken by ${earlier}${isPath ? "" : "; \"auto\" takes one that is free"}`
        : isPath
        ? misshapen(what)
        : undefined
      return message === undefined ? [] : [atValue(place.source, place.path, message)]
    })
  )
}
