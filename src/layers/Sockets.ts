/**
 * Public and private socket paths, and free ports.
 *
 * The public path is a symlink that tenement switches atomically to the private path of the run that serves; a program
 * that binds the public path itself is left alone.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InstanceName } from "../domain/Names.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { SocketUnusable } from "./Errors.ts"

/**
 * @since 0.1.0
 * @category tags
 */
export class Sockets extends Context.Tag("tenement/layers/Sockets")<Sockets, {
  /**
   * Gives one incarnation its endpoint: a fresh private path (nothing there yet, in a folder that the run's user may
   * write), the public path free of what an earlier run left, a free loopback port if `port` is `"auto"`. Refuses a
   * public path where another program listens or that is not a socket.
   */
  readonly prepare: (options: {
    readonly instance: InstanceName
    readonly incarnation: number
    readonly publicPath: string
    readonly port: number | "auto" | null
    readonly user: string | null
    readonly group: string | null
  }) => Effect.Effect<Endpoint, SocketUnusable>
  /**
   * The run is ready: the public path leads to it from now on, and the socket gets its permission bits (`mode`),
   * without following a link that the instance could have put there.
   */
  readonly publish: (options: {
    readonly instance: InstanceName
    readonly endpoint: Endpoint
    readonly mode: number
  }) => Effect.Effect<void, SocketUnusable>
  /** Takes away what `prepare` and `publish` made for this run, and only that. */
  readonly retire: (endpoint: Endpoint) => Effect.Effect<void>
}>() {}
