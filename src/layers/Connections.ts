/**
 * Who is connected to an instance, as the kernel knows it: also those that came by another way than through the gateway.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Endpoint from "./Endpoint.ts"
import * as NetTables from "./internal/netTables.ts"

/**
 * The connections that are open to the endpoint just now, those in its backlog included; `pid` is the program that listens
 * there. A client that has hung up counts until the program has noticed. `null` where it cannot be told.
 *
 * @since 0.1.0
 * @category tags
 */
export class Connections extends Context.Tag("tenement/layers/Connections")<Connections, {
  readonly open: (endpoint: Endpoint.Endpoint, pid: number) => Effect.Effect<number | null>
}>() {}

/**
 * Reads the tables of sockets in `/proc`: as long as there are sockets on the machine, so it is for now and then.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Connections> = Layer.succeed(Connections, {
  open: (endpoint, pid) =>
    Endpoint.address(endpoint).pipe(
      Effect.flatMap((address) =>
        "path" in address ? NetTables.unix(address.path, pid) : NetTables.tcp(address.port, pid)
      ),
      Effect.orElseSucceed(() => null)
    )
})
