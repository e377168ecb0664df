/**
 * Where an instance is reached.
 *
 * @since 0.1.0
 */
import * as Fs from "node:fs"

/**
 * `publicPath` is what others connect to; `privatePath` is what this incarnation was told to listen on, behind the
 * public one. With a `port`, probes use TCP on loopback.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly publicPath: string
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
 * public path itself.
 *
 * @since 0.1.0
 * @category combinators
 */
export const address = (endpoint: Endpoint): Address => {
  if (endpoint.port !== null) return { host: "127.0.0.1", port: endpoint.port }
  const bound = Fs.lstatSync(endpoint.publicPath, { throwIfNoEntry: false })?.isSocket() === true
  return { path: bound ? endpoint.publicPath : endpoint.privatePath }
}

/**
 * An address as it is shown to people.
 *
 * @since 0.1.0
 * @category combinators
 */
export const show = (address: Address): string => "path" in address ? address.path : `${address.host}:${address.port}`
