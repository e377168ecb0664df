/**
 * Who gets a request: an instance that is ready, or one that is waited for.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type { Arrival } from "../actors/Arrivals.ts"
import type { Backend, Serving } from "../actors/Backend.ts"
import * as OpenRequests from "../actors/OpenRequests.ts"
import type { Traffic } from "../actors/Traffic.ts"
import { type InstanceId, type InstanceName, instanceName, type ServiceName } from "../domain/Names.ts"
import * as Routing from "../domain/Routing.ts"
import type * as Endpoint from "../layers/Endpoint.ts"
import type { Asking } from "./Exchange.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * Where a request is to go.
 *
 * @since 0.1.0
 * @category models
 */
export type Target = Extract<Routing.Target, { readonly service: unknown }>

/**
 * What a choice is made with. `addressOf` is where an endpoint was found last; `again` looks anew. `later` runs what takes
 * time, and tells its value, or throws for a defect; what it gives calls it off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ways {
  readonly traffic: Traffic
  readonly mono: () => number
  readonly addressOf: (endpoint: Endpoint.Endpoint, again: boolean) => Endpoint.Address | null
  readonly later: <A>(effect: Effect.Effect<A>, then: (value: () => A) => void) => () => void
}

/**
 * Who answers for a defect in what comes later of a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Guard {
  readonly guarded: (act: () => void) => void
}

/** How often a request may wait for an instance that was ready, and is not any more when it is its turn. */
const mostWaits = 3

const notReady = (name: string, reason: string, retryAfterMs = 1000): Refusal => ({
  status: 503,
  message: `${name} takes no requests now: ${reason}`,
  kind: "not-ready",
  retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000))
})

const statesOf = (all: ReadonlyArray<Backend>): string => {
  const states = [...new Set(all.map(({ state }) => state))]
  return states.length === 0
    ? "it has no instance"
    : states.length === 1
    ? `it is ${states[0]}`
    : `its instances are ${states.join(", ")}`
}

const nobody: ReadonlyArray<InstanceName> = []

const isReady = ({ run }: Backend): boolean => run !== null

/**
 * What is chosen for one request, from its beginning to its end. Each try is another instance, if there is one.
 *
 * @since 0.1.0
 * @category models
 */
export class Choice implements Pick<Asking, "to" | "connected" | "isOverdue"> {
  readonly #ways: Ways
  readonly #service: ServiceName
  readonly #id: InstanceId | null
  readonly #guard: Guard
  #tried = nobody
  #waits = 0
  #asked: Backend | null = null
  #end: (() => void) | null = null
  #stopWaiting: (() => void) | null = null

  constructor(ways: Ways, target: Target, guard: Guard) {
    this.#ways = ways
    this.#service = target.service
    this.#id = target._tag === "Instance" ? target.id : null
    this.#guard = guard
  }

  /** Who was asked last. */
  get instance(): InstanceName | null {
    return this.#asked?.instance ?? null
  }

  /** The same as `to` where that takes no time; `null` where nobody is ready. */
  ready(): Endpoint.Address | Refusal | null {
    return this.#among(this.#backends)
  }

  to(then: (to: Endpoint.Address | Refusal) => void): void {
    const all = this.#backends
    if (all.length === 0 && this.#id !== null) {
      return then({ status: 404, message: `there is no instance ${this.#name}`, kind: "no-route" })
    }
    const address = this.#among(all)
    if (address !== null) return then(address)

    const coming = all.some(isReady) ? [] : all.filter(({ comes }) => comes)
    const awake = coming.filter(({ state }) => state !== "sleeping")
    // Nobody is woken for a request that another one will take.
    const awaited = this.#pick(awake.length > 0 ? awake : coming)
    if (awaited === undefined || this.#waits === mostWaits) return then(notReady(this.#name, statesOf(all)))
    this.#waits++
    this.#stopWaiting = this.#ways.later(
      this.#ways.traffic.arrive(awaited.instance),
      (value: () => Arrival) =>
        this.#guard.guarded(() => {
          const arrival = value()
          if (arrival._tag === "Served") this.to(then)
          else then(notReady(awaited.instance, arrival.reason, arrival.retryAfterMs))
        })
    )
  }

  connected(socket: Net.Socket): void {
    const run = this.#asked?.run ?? null
    if (run !== null) socket.once("close", OpenRequests.connected(run.requests))
  }

  isOverdue(): boolean {
    return this.#asked?.run?.requests.isOverdue === true
  }

  /** The request has become a tunnel. */
  tunnelled(): void {
    const run = this.#asked?.run ?? null
    if (run !== null && this.#end !== null) this.#end = OpenRequests.tunnel(run.requests, this.#end)
  }

  /** The request is over, also if it waits. */
  leave(): void {
    this.#stopWaiting?.()
    this.#end?.()
  }

  get #backends(): ReadonlyArray<Backend> {
    return this.#ways.traffic.backends(this.#service, this.#id)
  }

  get #name(): string {
    return this.#id === null ? this.#service : instanceName(this.#service, this.#id)
  }

  /** Who names an instance means it, whatever its share is. */
  #pick(among: ReadonlyArray<Backend>): Backend | undefined {
    return this.#id === null ? Routing.pick(among, Math.random()) : among[0]
  }

  #among(all: ReadonlyArray<Backend>): Endpoint.Address | Refusal | null {
    const ready = all.every(isReady) ? all : all.filter(isReady)
    // One that has failed is asked again only where there is no other.
    const untried = this.#tried === nobody ? ready : ready.filter(({ instance }) => !this.#tried.includes(instance))
    const backend = this.#pick(untried.length > 0 ? untried : ready)
    return backend === undefined || backend.run === null ? null : this.#go(backend, backend.run)
  }

  #go(backend: Backend, { endpoint, requests }: Serving): Endpoint.Address | Refusal {
    this.#end?.()
    // A program may have bound its public path since it was looked at.
    const address = this.#ways.addressOf(endpoint, this.#tried !== nobody)
    this.#tried = [...this.#tried, backend.instance]
    this.#asked = backend
    this.#end = OpenRequests.enter(requests, this.#ways.mono)
    return address ??
      { status: 502, message: "the service's socket cannot be looked at", kind: "connect", retryAfter: 1 }
  }
}
