/**
 * What can be wrong with sockets and ports: too long, or wanted by two.
 *
 * @since 0.1.0
 */
import * as Path from "node:path/posix"
import type { ServiceConfig, Settings, TenementConfig } from "./Config.ts"
import { type Fault, fault } from "./Fault.ts"
import { defaultId, instanceName } from "./Names.ts"
import * as Places from "./Places.ts"

/**
 * The longest path of a socket: what the kernel's `sun_path` holds, without its final NUL.
 *
 * @since 0.1.0
 * @category constants
 */
export const mostBytes = 107

// Behind the public sockets, `{run_dir}/.run-DIGEST/DIGEST/RUN.sock`.
const privatePart = "/.run-01234567/0123456789abcdef/1000000000.sock".length

const bytesOf = (path: string): number => new TextEncoder().encode(path).length

const tooLong = (path: string, most: number): string | undefined => {
  const bytes = bytesOf(path)
  return bytes <= most ? undefined : `the path ${path} has ${bytes} bytes, allowed: at most ${most}`
}

const ofSettings = ({ runDir, socket }: Settings): ReadonlyArray<Fault> =>
  ([
    ["socket", tooLong(socket, mostBytes)],
    ["runDir", tooLong(runDir, mostBytes - privatePart)]
  ] as const).flatMap(([key, message]) => message === undefined ? [] : [fault(["settings", key], message)])

/** What one instance wants for itself alone. */
interface Claim {
  readonly what: string
  readonly owner: string
  readonly key: "socket" | "port"
}

const port = (number: number): string => `port ${number}`

const claimsOf = (config: ServiceConfig, settings: Settings): ReadonlyArray<Claim> =>
  // A service that starts none can be given one at any time.
  [...new Set(config.instances.length === 0 ? [defaultId] : config.instances)].flatMap((id) => {
    const owner = instanceName(config.name, id)
    const claims: ReadonlyArray<Claim> = [
      { what: Path.normalize(Places.publicSocket(settings, config, id)), owner, key: "socket" }
    ]
    return typeof config.port === "number" ? [...claims, { what: port(config.port), owner, key: "port" }] : claims
  })

const misshapen = (path: string): string | undefined =>
  path.endsWith("/") ? `${path} names a folder, allowed: the path of a file` : tooLong(path, mostBytes)

/**
 * What is wrong with the paths of the settings, and with the sockets and ports of the instances that are listed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faults = ({ services, settings }: TenementConfig): ReadonlyArray<Fault> => {
  const owners = new Map([[settings.socket, "the control socket"]])
  if (settings.listen !== null && settings.listen.port !== 0) owners.set(port(settings.listen.port), "settings.listen")
  return [
    ...ofSettings(settings),
    ...[...services.values()].flatMap((service) =>
      claimsOf(service, settings).flatMap(({ key, owner, what }) => {
        const isPath = what.startsWith("/")
        const earlier = owners.get(what)
        if (earlier === undefined) owners.set(what, owner)
        const message = earlier !== undefined
          ? `${what} of ${owner} is taken by ${earlier}${isPath ? "" : "; \"auto\" takes one that is free"}`
          : isPath
          ? misshapen(what)
          : undefined
        return message === undefined ? [] : [fault(["service", service.name, key], message)]
      })
    )
  ]
}

/**
 * Whose socket has the longest path, of the instances that are listed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const longestSocket = (
  { services, settings }: TenementConfig
): { readonly owner: string; readonly bytes: number } | undefined =>
  [...services.values()]
    .flatMap((service) => claimsOf(service, settings))
    .flatMap(({ key, owner, what }) => key === "socket" ? [{ owner, bytes: bytesOf(what) }] : [])
    .reduce<{ readonly owner: string; readonly bytes: number } | undefined>(
      (most, claim) => most === undefined || claim.bytes > most.bytes ? claim : most,
      undefined
    )
