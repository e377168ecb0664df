/**
 * A place where requests come in, and how it passes from one supervisor to the next with all connections that stand in it.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Http from "node:http"
import * as Net from "node:net"

/**
 * @since 0.1.0
 * @category models
 */
export type DoorName = "control" | "listen"

const names: ReadonlyArray<string> = ["control", "listen"] satisfies ReadonlyArray<DoorName>

/**
 * @since 0.1.0
 * @category refinements
 */
export const isDoorName = (name: string): name is DoorName => names.includes(name)

/**
 * @since 0.1.0
 * @category models
 */
export interface Door {
  readonly name: DoorName
  /** The descriptor of its listening socket. */
  readonly fd: () => number
  /**
   * From now on no request is begun here. `keep` gets, unread, each connection that comes, and each that is there as soon
   * as no request is under way on it.
   */
  readonly hold: (keep: (connection: Net.Socket) => void) => void
  /** Takes a connection that another supervisor has kept. */
  readonly admit: (connection: Net.Socket) => void
  /** Done, after `hold`, when no connection is left. */
  readonly emptied: Effect.Effect<void>
  /** Nothing comes in any more; what there is goes on. */
  readonly close: () => void
}

/**
 * `holdOthers` has the same done with connections that have come in and are not, or not yet, the server's.
 *
 * @internal
 */
export const of = (
  name: DoorName,
  server: Http.Server,
  holdOthers: (keep: (connection: Net.Socket) => void) => void = () => {}
): Door => {
  const connections = new Set<Net.Socket>()
  const kept = new Set<Net.Socket>()
  const emptied = Deferred.unsafeMake<void>(FiberId.none)
  let keep: ((connection: Net.Socket) => void) | null = null

  const forget = (connection: Net.Socket) => {
    connections.delete(connection)
    if (keep !== null && connections.size === 0) Deferred.unsafeDone(emptied, Exit.void)
  }
  server.on("connection", (connection: Net.Socket) => {
    connections.add(connection)
    connection.once("close", () => forget(connection))
  })

  /** Node knows on which no request is under way, and has one thing to do with them. Of fresh ones it says nothing. */
  const idle = (): ReadonlyArray<Net.Socket> => {
    const found = new Set([...connections].filter(({ bytesRead }) => bytesRead === 0))
    // Those that are kept already are idle, too, until they are passed on.
    const all = [...connections, ...kept]
    for (const connection of all) {
      connection.destroy = () => {
        if (connections.has(connection)) found.add(connection)
        return connection
      }
    }
    server.closeIdleConnections()
    for (const connection of all) delete (connection as Partial<Net.Socket>).destroy
    return [...found]
  }

  const takeOut = (connection: Net.Socket) => {
    connection.on("error", () => connection.destroy())
    connection.pause()
    connection.setTimeout(0)
    kept.add(connection)
    keep?.(connection)
    forget(connection)
  }
  const sweep = () => {
    for (const connection of idle()) takeOut(connection)
  }

  // A request that was half read when it was held is answered, too.
  const answered = () => keep === null ? undefined : setImmediate(sweep)
  server.on("request", (_, response: Http.ServerResponse) => response.once("close", answered))

  return {
    name,
    // Nowhere else does Node tell it.
    fd: () => (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd,
    hold: (taking) => {
      keep = taking
      Object.assign(server, { pauseOnConnect: true })
      server.removeAllListeners("connection")
      server.on("connection", (connection: Net.Socket) => {
        connection.on("error", () => connection.destroy())
        taking(connection)
      })
      // First, so that of what the others have no fresh one is left, which would be taken for the server's.
      holdOthers(takeOut)
      sweep()
      if (connections.size === 0) Deferred.unsafeDone(emptied, Exit.void)
    },
    admit: (connection) => {
      if (name === "listen") connection.setNoDelay(true)
      server.emit("connection", connection)
    },
    emptied: Deferred.await(emptied),
    // An HTTP server would also close connections on which a request may be coming at this very moment.
    close: () => void Net.Server.prototype.close.call(server)
  }
}
