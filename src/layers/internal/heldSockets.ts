/** @internal */
import type { InstanceName } from "../../domain/Names.ts"
import type { Endpoint } from "../Endpoint.ts"
import type { BoundSocket } from "./boundSocket.ts"

/** A socket that is listened on for an instance, and where. */
export interface Held {
  readonly instance: InstanceName
  readonly endpoint: Endpoint
  readonly socket: BoundSocket
}

/**
 * The sockets that are held for services. A run has its own; when it is over, and no other runs beside it, the instance
 * keeps it for the next: whoever connects in between waits in its backlog.
 */
export class HeldSockets {
  /** By private path, those of the runs there are. */
  readonly #used = new Map<string, Held>()
  readonly #kept = new Map<InstanceName, Held>()

  use(held: Held): void {
    this.#used.set(held.endpoint.privatePath, held)
  }

  of({ privatePath }: Endpoint): Held | undefined {
    return this.#used.get(privatePath)
  }

  /** The run is over; true where its socket is kept. */
  keep(held: Held): boolean {
    this.#used.delete(held.endpoint.privatePath)
    for (const { instance } of this.#used.values()) if (instance === held.instance) return false
    this.#kept.set(held.instance, held)
    return true
  }

  /** What was kept for an instance, which has it no longer. */
  take(instance: InstanceName): Held | undefined {
    const held = this.#kept.get(instance)
    this.#kept.delete(instance)
    return held
  }

  get kept(): ReadonlyArray<InstanceName> {
    return [...this.#kept.keys()]
  }
}
