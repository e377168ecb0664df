/**
 * How nginx names those it passes requests to, in the file that it is given and in what it tells of them.
 *
 * @since 0.1.0
 */
import type { ServiceConfig, Settings } from "./Config.ts"
import type { InstanceId, ServiceName } from "./Names.ts"
import * as Places from "./Places.ts"

/**
 * The upstream of the gateway, and what the names of all others begin with.
 *
 * @since 0.1.0
 * @category constants
 */
export const gateway = "tenement"

/**
 * A service's upstream has its name, and that of one instance both names. They cannot be mixed up: no name has a dot.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nameOf = (service: ServiceName, id?: InstanceId): string =>
  id === undefined ? `${gateway}-${service}` : `${gateway}-${service}.${id}`

/**
 * The service that an upstream's name says. A file of somebody's own may name it without more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const serviceOf = (upstream: string): string =>
  upstream.slice(upstream.startsWith(`${gateway}-`) ? gateway.length + 1 : 0).split(".", 1)[0] ?? ""

/**
 * The address of an instance that stays the same from run to run, as nginx writes it; `null` for a port that is taken
 * anew each time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const addressOf = (
  settings: Settings,
  service: Pick<ServiceConfig, "name" | "socket" | "port" | "publicPath">,
  id: InstanceId
): string | null =>
  service.port === "auto"
    ? null
    : service.port === null
    ? `unix:${Places.publicSocket(settings, service, id)}`
    : `127.0.0.1:${service.port}`
