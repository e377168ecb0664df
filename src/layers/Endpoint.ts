/**
 * Where an instance is reached.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { codeOf } from "../internal/errno.ts"
import { Unhealthy } from "./Errors.ts"
import * as PublicPath from "./internal/publicPath.ts"

/**
 * `publicPath` is what others connect to; `privatePath` is what this incarnation was told to listen on, behind the
 * public one. With a `port`, probes use TCP on loopback.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  /** Another one, once the instance is routed to, or another is. */
  publicPath: string
  readonly privatePath: string
  readonly port: number | null
}

/**
 * What to connect to, in the words of Node's `net.connect`.
 *
 * @since 0.1.0
 * @category models
 */
export type Address =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }

/**
 * Where to connect to this very run: its port if it has one; its private socket, unless the program has bound the
 * public path itself. A socket there that is somebody else's is not asked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const address = (endpoint: Endpoint): Effect.Effect<Address, Unhealthy> => {
  const { port, privatePath, publicPath } = endpoint
  return port === null
    ? Effect.try({
      try: () => ({ path: PublicPath.isBound(endpoint) ? publicPath : privatePath }),
      catch: (error) => new Unhealthy({ detail: `${publicPath} cannot be looked at (${codeOf(error)})` })
    })
    : Effect.succeed({ host: "127.0.0.1", port })
}

/**
 * An address as it is shown to people.
 *
 * @since 0.1.0
 * @category combinators
 */
export const show = (address: Address): string => "path" in address ? address.path : `${address.host}:${address.port}`
