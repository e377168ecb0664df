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
import type { InstanceName, ServiceName } from "../domain/Names.ts"
import * as Routing from "../domain/Routing.ts"
import { bounded } from "../internal/bounded.ts"
import * as Endpoint from "../layers/Endpoint.ts"
import * as Asked from "./Asked.ts"
import * as Choice from "./Choice.ts"
import type { Patience } from "./Connection.ts"
import * as Exchange from "./Exchange.ts"
import * as Headers from "./Headers.ts"
import * as Lane from "./Lane.ts"
import type * as PlainRequest from "./PlainRequest.ts"
import * as Refusal from "./Refusal.ts"
import * as ResponseSink from "./ResponseSink.ts"
import * as Tunnel from "./Tunnel.ts"
import * as Upgrade from "./Upgrade.ts"
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

interface Asking {
  readonly socket: Net.Socket
  readonly head: Buffer
  readonly protocol: string
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
  const mono = Now.mono(yield* Effect.clock)
  const upstream = new Upstream.Upstream(options.patience ?? patience)
  const addresses = new WeakMap<Endpoint.Endpoint, Endpoint.Address>()
  const tunnels = new Set<Net.Socket>()
  const lanes = new Set<Lane.Lane>()
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

  /** `guard` is who answers for a defect in what comes of it. */
  const choose = (target: Choice.Target, guard: (act: () => void) => void) =>
    Choice.make({
      traffic,
      mono,
      addressOf,
      later: (effect, then) =>
        Runtime.runCallback(runtime)(effect, {
          onExit: (exit) => {
            if (Exit.isInterrupted(exit)) return
            guard(() =>
              then(Exit.getOrElse(exit, (cause) => {
                throw Cause.squash(cause)
              }))
            )
          }
        })
    }, target)

  /** Counts an answer, and what it took. */
  const counter = (service: ServiceName, instance: () => InstanceName | null) => {
    const begun = performance.now()
    return (code: number) =>
      traffic.answered({ service, instance: instance(), code, seconds: (performance.now() - begun) / 1000 })
  }

  const pass = (
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    { host, path }: Asked.Asked,
    target: Choice.Target,
    upgrade: Asking | null
  ) => {
    const { service } = target
    const choice = choose(target, (act) => guarded(request, response, act))
    const count = counter(service, choice.instance)
    let isCutByUs = false
    let leave = () => {}
    const onClose = () => {
      const isWhole = response.writableFinished
      choice.leave()
      if (!isWhole) leave()
      if (!isWhole && !isCutByUs) traffic.refused(service, "client-left")
      count(isWhole || isCutByUs ? response.statusCode : 499)
    }
    response.once("close", onClose)
    const asking = {
      request,
      response,
      host,
      path,
      to: choice.to,
      connected: choice.connected,
      isOverdue: choice.isOverdue,
      refuse: (refusal: Refusal.Refusal) => {
        if (refusal.kind !== null) traffic.refused(service, refusal.kind)
        Refusal.send(request, response, refusal)
      },
      brokeOff: () => {
        if (response.destroyed) return
        isCutByUs = true
        traffic.refused(service, "broken-off")
        response.destroy()
      }
    }
    if (upgrade === null) {
      const sink = ResponseSink.make(request, response, upstream.patience.bodyMs)
      const { method = "GET" } = request
      const head = Headers.write(method, path, Headers.toInstance(request, host))
      leave = Exchange.run(upstream, { ...asking, method, head, sink, body: Headers.hasBody(request) ? request : null })
      return
    }
    leave = Upgrade.run(upstream.patience.answerMs, asking, {
      protocol: upgrade.protocol,
      agreed: (answer, far, head) => {
        const { socket } = upgrade
        response.off("close", onClose)
        response.detachSocket(socket)
        count(101)
        choice.tunnelled()
        tunnels.add(socket)
        socket.once("close", () => {
          tunnels.delete(socket)
          choice.leave()
        })
        Tunnel.open(upgrade, { socket: far, head, answer }, upgrade.protocol)
      }
    })
  }

  /** The same for a plain request; `null` where there is more to it than an instance that is ready. */
  const passPlain = (
    { head, host, method, path }: PlainRequest.PlainRequest,
    lane: Lane.Lane
  ): Lane.Served | null => {
    const target = tableOf(traffic.config())(host, path)
    if (target._tag === "Supervisor" || target._tag === "Nobody") return null
    const { service } = target
    const choice = choose(target, (act) => guardedIn(lane, act))
    const ready = choice.ready()
    if (ready === null || "status" in ready) {
      choice.leave()
      return null
    }
    let first: Endpoint.Address | null = ready
    const count = counter(service, choice.instance)
    const leave = Exchange.run(upstream, {
      method,
      head,
      body: null,
      sink: lane,
      to: (then) => {
        if (first === null) return choice.to(then)
        const address = first
        first = null
        then(address)
      },
      connected: choice.connected,
      isOverdue: choice.isOverdue,
      refuse: (refusal) => {
        if (refusal.kind !== null) traffic.refused(service, refusal.kind)
        lane.refuse(refusal)
      },
      brokeOff: () => {
        traffic.refused(service, "broken-off")
        lane.cut()
      }
    })
    const closed = (code: number) => {
      choice.leave()
      if (code === 499) traffic.refused(service, "client-left")
      count(code)
    }
    return { leave, closed }
  }

  const serve = (
    own: Http.RequestListener,
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    upgrade: Asking | null
  ) => {
    const asked = Asked.of(request)
    if (Either.isLeft(asked)) return Refusal.send(request, response, asked.left)
    const { host, path } = asked.right
    const current = traffic.config()
    const target = tableOf(current)(host, path)
    if (target._tag === "Supervisor") return own(request, response)
    if (target._tag !== "Nobody") return pass(request, response, asked.right, target, upgrade)
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
    } catch (defect) {
      report(Effect.logError("a request met a defect in the gateway", defect))
      Refusal.send(request, response, { status: 500, message: "this is a defect in tenement", kind: null })
    }
  }

  /** The same as `guarded`, for what comes later of a request in a lane. */
  const guardedIn = (lane: Lane.Lane, act: () => void) => {
    try {
      act()
    } catch (defect) {
      report(Effect.logError("a request met a defect in the gateway", defect))
      lane.cut()
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
      return passPlain(request, lane)
    } catch (defect) {
      report(Effect.logError("a request met a defect in the gateway", defect))
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
    request: (request, response) => guarded(request, response, () => serve(own, request, response, null)),
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
