/**
 * Connections to instances: one request at a time on each, and kept open for the next.
 *
 * @since 0.1.0
 */
import type { Address } from "../layers/Endpoint.ts"
import { type Call, Connection, type Patience, type Running } from "./Connection.ts"

/** A connection that nobody uses is closed after this; many servers would do so themselves after five seconds. */
const idleMs = 4000

/** How many such connections are kept to one instance. */
const mostIdle = 64

/** The connections to one address. */
interface Peer {
  readonly address: Address
  /** The one used last comes last: those that are too many are left alone until they are closed. */
  readonly idle: Array<Connection>
  /** All there are, also those in use. */
  open: number
}

/**
 * All connections to instances.
 *
 * @since 0.1.0
 * @category models
 */
export class Upstream {
  readonly patience: Patience
  readonly #peers = new Map<string, Peer>()
  readonly #open = new Set<Connection>()
  #sweep: NodeJS.Timeout | null = null

  constructor(patience: Patience) {
    this.patience = patience
  }

  run(address: Address, call: Call): Running {
    const key = "path" in address ? address.path : `${address.host}:${address.port}`
    let peer = this.#peers.get(key)
    if (peer === undefined) this.#peers.set(key, peer = { address, idle: [], open: 0 })
    const connection = (call.mayReuse ? peer.idle.pop() : undefined) ?? this.#connect(key, peer, call)
    connection.run(call)
    return connection
  }

  close(): void {
    for (const connection of this.#open) connection.abort()
    if (this.#sweep !== null) clearInterval(this.#sweep)
    this.#sweep = null
  }

  #connect(key: string, peer: Peer, call: Call): Connection {
    const connection: Connection = new Connection(peer.address, this.patience, {
      free: () => {
        if (peer.idle.length >= mostIdle) return connection.abort()
        peer.idle.push(connection)
        this.#sweep ??= setInterval(() => this.#closeIdle(), 1000).unref()
      },
      closed: () => {
        this.#open.delete(connection)
        const index = peer.idle.indexOf(connection)
        if (index >= 0) peer.idle.splice(index, 1)
        if (--peer.open === 0) this.#peers.delete(key)
      }
    })
    this.#open.add(connection)
    peer.open++
    call.connected(connection.socket)
    return connection
  }

  #closeIdle(): void {
    const now = performance.now()
    let isAny = false
    for (const { idle } of this.#peers.values()) {
      // Those used longest ago come first.
      const fresh = idle.findIndex((connection) => now - connection.freeSince < idleMs)
      for (const connection of idle.splice(0, fresh < 0 ? idle.length : fresh)) connection.abort()
      if (idle.length > 0) isAny = true
    }
    if (isAny || this.#sweep === null) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }
}
