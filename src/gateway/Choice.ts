/**
 * Who gets a request: an instance that is ready, or one that is waited for.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Arrival } from "../actors/Arrivals.ts"
import type { Backend, Serving } from "../actors/Backend.ts"
import * as OpenRequests from "../actors/OpenRequests.ts"
import type { Traffic } from "../actors/Traffic.ts"
import { type InstanceName, instanceName } from "../domain/Names.ts"
import * as Routing from "../domain/Routing.ts"
import type * as Endpoint from "../layers/Endpoint.ts"
import type { Exchange } from "./Exchange.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * Where a request is to go.
 *
 * @since 0.1.0
 * @category models
 */
export type Target = Extract<Routing.Target, { readonly service: unknown }>

/**
 * What is chosen for one request, from its beginning to its end. Each try is another instance, if there is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice extends Pick<Exchange, "to" | "connected" | "isOverdue"> {
  /** The same as `to` where that takes no time; `null` where nobody is ready. */
  readonly ready: () => Endpoint.Address | Refusal | null
  /** Who was asked last. */
  readonly instance: () => InstanceName | null
  /** The request has become a tunnel. */
  readonly tunnelled: () => void
  /** The request is over, also if it waits. */
  readonly leave: () => void
}

/**
 * What a choice is made with. `addressOf` is where an endpoint was found last; `again` looks anew. `later` runs what takes
 * time; what it gives calls it off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ways {
  readonly traffic: Traffic
  readonly mono: () => number
  readonly addressOf: (endpoint: Endpoint.Endpoint, again: boolean) => Endpoint.Address | null
  readonly later: <A>(effect: Effect.Effect<A>, then: (value: A) => void) => () => void
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

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ addressOf, later, mono, traffic }: Ways, target: Target): Choice => {
  const { service } = target
  const id = target._tag === "Instance" ? target.id : null
  const tried = new Set<InstanceName>()
  let waits = 0
  let asked: Backend | null = null
  let run: Serving | null = null
  let end = () => {}
  let stopWaiting = () => {}

  /** Who names an instance means it, whatever its share is. */
  const pick = (among: ReadonlyArray<Backend>) => id === null ? Routing.pick(among, Math.random()) : among[0]

  const go = (backend: Backend, serving: Serving): Endpoint.Address | Refusal => {
    end()
    // A program may have bound its public path since it was looked at.
    const address = addressOf(serving.endpoint, tried.size > 0)
    tried.add(backend.instance)
    asked = backend
    run = serving
    end = OpenRequests.enter(serving.requests, mono)
    return address ??
      { status: 502, message: "the service's socket cannot be looked at", kind: "connect", retryAfter: 1 }
  }

  const among = (all: ReadonlyArray<Backend>): Endpoint.Address | Refusal | null => {
    const ready = all.filter(({ run }) => run !== null)
    const untried = ready.filter(({ instance }) => !tried.has(instance))
    // One that has failed is asked again only where there is no other.
    const backend = pick(untried.length > 0 ? untried : ready)
    return backend === undefined || backend.run === null ? null : go(backend, backend.run)
  }

  const to: Exchange["to"] = (then) => {
    const all = traffic.backends(service, id)
    if (all.length === 0 && id !== null) {
      return then({ status: 404, message: `there is no instance ${instanceName(service, id)}`, kind: "no-route" })
    }
    const address = among(all)
    if (address !== null) return then(address)

    const coming = all.some(({ run }) => run !== null) ? [] : all.filter(({ comes }) => comes)
    const awake = coming.filter(({ state }) => state !== "sleeping")
    // Nobody is woken for a request that another one will take.
    const awaited = pick(awake.length > 0 ? awake : coming)
    if (awaited === undefined || waits === mostWaits) {
      return then(notReady(id === null ? service : instanceName(service, id), statesOf(all)))
    }
    waits++
    stopWaiting = later(
      traffic.arrive(awaited.instance),
      (arrival: Arrival) =>
        arrival._tag === "Served" ? to(then) : then(notReady(awaited.instance, arrival.reason, arrival.retryAfterMs))
    )
  }

  return {
    to,
    ready: () => among(traffic.backends(service, id)),
    connected: (socket) => {
      if (run !== null) socket.once("close", OpenRequests.connected(run.requests))
    },
    isOverdue: () => run?.requests.isOverdue === true,
    instance: () => asked?.instance ?? null,
    tunnelled: () => {
      if (run !== null) end = OpenRequests.tunnel(run.requests, end)
    },
    leave: () => {
      stopWaiting()
      end()
    }
  }
}
