/**
 * Passes requests on to instances. The requests themselves are Node's business from the first byte to the last; what is
 * decided about them is the routing table's, and who is ready is known to the tree.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Http from "node:http"
import type * as Net from "node:net"
import * as Now from "../actors/Now.ts"
import { Tenement } from "../actors/Tenement.ts"
import type { TenementConfig } from "../domain/Config.ts"
import * as Routing from "../domain/Routing.ts"
import { bounded } from "../internal/bounded.ts"
import * as Endpoint from "../layers/Endpoint.ts"
import * as Asked from "./Asked.ts"
import type { Patience } from "./Connection.ts"
import * as Headers from "./Headers.ts"
import * as Lane from "./Lane.ts"
import type * as Passage from "./Passage.ts"
import { PlainPassage } from "./PlainPassage.ts"
import * as Refusal from "./Refusal.ts"
import { ResponsePassage, type Switching } from "./ResponsePassage.ts"
import * as Upstream from "./Upstream.ts"

/**
 * @since 0.1.0
 * @category constants
 */
export const patience: Patience = { bodyMs: 60_000, answerMs: 60_000 }

/** How long answers may take that are under way when the gateway closes. */
const grace = "2 seconds"

/**
 * What comes in over TCP.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listeners {
  readonly request: Http.RequestListener
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
  /** Each connection, before Node's server has it; `toNode` gives it that. */
  readonly connection: (socket: Net.Socket, toNode: (socket: Net.Socket) => void) => void
  /** From now on each connection that Node's server does not have goes to `keep`, unread, once no request is on it. */
  readonly hold: (keep: (socket: Net.Socket) => void) => void
}

/**
 * A gateway for as long as its scope is open. What it gives takes the listener of the supervisor's own requests, and
 * makes listeners for all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Gateway.make")(function*(
  options: { readonly own: ReadonlyArray<string>; readonly patience?: Patience }
) {
  const { traffic } = yield* Tenement
  const runtime = yield* Effect.runtime()
  const now = <A>(effect: Effect.Effect<A>): A => Runtime.runSync(runtime, effect)
  const report = Runtime.runFork(runtime)
  // The same clock without its big integers, which cost more than the rest of a request's bookkeeping.
  const since = Now.mono(yield* Effect.clock)() - performance.now()
  const upstream = new Upstream.Upstream(options.patience ?? patience)
  const addresses = new WeakMap<Endpoint.Endpoint, Endpoint.Address>()
  const tunnels = new Set<Net.Socket>()
  const lanes = new Set<Lane.Lane>()
  /** The newest on each connection of Node's server. */
  const answers = new WeakMap<Net.Socket, Http.ServerResponse>()
  /** Once the gateway closes. */
  let allGone: (() => void) | null = null
  /** Once connections are held. */
  let keep: ((socket: Net.Socket) => void) | null = null
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const socket of tunnels) socket.destroy()
      upstream.close()
    })
  )
  yield* Effect.addFinalizer(() =>
    Effect.async<void>((resume) => {
      allGone = () => lanes.size === 0 ? resume(Effect.void) : undefined
      for (const lane of lanes) if (!lane.isBusy) lane.finish()
      allGone()
    }).pipe(
      bounded(grace),
      Effect.zipRight(Effect.sync(() => {
        for (const lane of lanes) lane.cut()
      }))
    )
  )

  let known: { readonly of: TenementConfig; readonly table: Routing.Table } | undefined
  const tableOf = (of: TenementConfig): Routing.Table => {
    if (known?.of !== of) {
      const { routing, services, settings } = of
      const table = Routing.make({ domain: settings.domain, own: options.own, services: services.keys(), routing })
      known = { of, table }
    }
    return known.table
  }

  /** Where an endpoint is, as it was found last; `again` looks anew. */
  const addressOf = (endpoint: Endpoint.Endpoint, again: boolean): Endpoint.Address | null => {
    const known = again ? undefined : addresses.get(endpoint)
    if (known !== undefined) return known
    const found = now(Effect.either(Endpoint.address(endpoint)))
    if (Either.isLeft(found)) return null
    addresses.set(endpoint, found.right)
    return found.right
  }

  const defect = (cause: unknown) => void report(Effect.logError("a request met a defect in the gateway", cause))
  const ways: Passage.Ways = {
    traffic,
    mono: () => since + performance.now(),
    addressOf,
    upstream,
    defect,
    later: (effect, then) =>
      Runtime.runCallback(runtime)(effect, {
        onExit: (exit) => {
          if (Exit.isInterrupted(exit)) return
          then(() =>
            Exit.getOrElse(exit, (cause) => {
              throw Cause.squash(cause)
            })
          )
        }
      })
  }

  /** The socket is a tunnel from now on. */
  const opened = (socket: Net.Socket) => {
    tunnels.add(socket)
    socket.once("close", () => tunnels.delete(socket))
  }

  const serve = (
    own: Http.RequestListener,
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    switching: Switching | null
  ) => {
    const asked = Asked.of(request)
    if (Either.isLeft(asked)) return Refusal.send(request, response, asked.left)
    const { host, path } = asked.right
    const current = traffic.config()
    const target = tableOf(current)(host, path)
    if (target._tag === "Supervisor") return own(request, response)
    if (target._tag !== "Nobody") {
      const passage = new ResponsePassage(ways, target, asked.right, request, response)
      return switching === null ? passage.begin() : passage.beginUpgrade(switching, opened)
    }
    traffic.refused(null, "no-route")
    const { domain } = current.settings
    const isBelow = Routing.hostname(host).endsWith(`.${Routing.hostname(domain)}`)
    return Refusal.send(request, response, {
      status: isBelow ? 404 : 403,
      message: isBelow
        ? `no service has this name; services are at {service}.${domain}`
        : `the host is no name of this machine; services are at {service}.${domain}`,
      kind: "no-route"
    })
  }

  /** A defect in one request is the end of that request. */
  const guarded = (request: Http.IncomingMessage, response: Http.ServerResponse, act: () => void) => {
    try {
      act()
    } catch (cause) {
      defect(cause)
      Refusal.send(request, response, Refusal.defect)
    }
  }

  /** As if the connection were any other: for what asks for an upgrade and gets an answer. */
  const responseOn = (request: Http.IncomingMessage, socket: Net.Socket): Http.ServerResponse => {
    const response = new Http.ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once("finish", () => socket.end())
    return response
  }

  const servePlain: Lane.Owner["serve"] = (request, lane) => {
    try {
      const target = tableOf(traffic.config())(request.host, request.path)
      if (target._tag === "Supervisor" || target._tag === "Nobody") return null
      const passage = new PlainPassage(ways, target, request, lane)
      return passage.begin() ? passage : null
    } catch (cause) {
      defect(cause)
      return null
    }
  }

  const free = (lane: Lane.Lane) => {
    if (keep !== null) lane.giveTo(keep)
    else if (allGone !== null) lane.finish()
  }

  return (own: Http.RequestListener): Listeners => ({
    hold: (keeping) => {
      keep = keeping
      for (const lane of lanes) lane.giveTo(keeping)
    },
    connection: (socket, toNode) => {
      const { bodyMs: slowMs } = upstream.patience
      const gone = (lane: Lane.Lane) => {
        lanes.delete(lane)
        allGone?.()
      }
      lanes.add(new Lane.Lane(socket, { serve: servePlain, toNode, free, gone, slowMs }))
    },
    request: (request, response) => {
      // After an answer that is the connection's last, what follows is no request.
      if (answers.get(request.socket)?.shouldKeepAlive === false) return
      answers.set(request.socket, response)
      guarded(request, response, () => serve(own, request, response, null))
    },
    upgrade: (request, socket, head) => {
      socket.on("error", () => socket.destroy())
      const response = responseOn(request, socket)
      guarded(request, response, () => {
        const protocol = request.headers.upgrade ?? ""
        if (Headers.hasBody(request)) {
          const message = "a request for an upgrade has no body"
          return Refusal.send(request, response, { status: 400, message, kind: null })
        }
        // HTTP/2 is offered by clients that do as well without it.
        const isPlain = protocol === "" || /(^|,)\s*h2c\s*(,|$)/i.test(protocol)
        serve(own, request, response, isPlain ? null : { socket, head, protocol })
      })
    }
  })
})
