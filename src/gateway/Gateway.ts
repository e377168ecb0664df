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
import { Tenement } from "../actors/Tenement.ts"
import type { TenementConfig } from "../domain/Config.ts"
import * as Routing from "../domain/Routing.ts"
import * as Asked from "./Asked.ts"
import * as Choice from "./Choice.ts"
import * as Exchange from "./Exchange.ts"
import * as Headers from "./Headers.ts"
import * as Refusal from "./Refusal.ts"
import * as Tunnel from "./Tunnel.ts"

/**
 * What a client, or an instance, may take. Milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Patience {
  /** Without a byte of the request's body. */
  readonly bodyMs: number
  /** From the request to the head of the answer, without a byte. */
  readonly answerMs: number
}

/**
 * @since 0.1.0
 * @category constants
 */
export const patience: Patience = { bodyMs: 60_000, answerMs: 60_000 }

/** A connection to an instance that nobody uses is closed after this; many servers would do so themselves. */
const idleMs = 4000

/**
 * What comes in over TCP.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listeners {
  readonly request: Http.RequestListener
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
}

interface Upgrade {
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
  const { config, traffic } = yield* Tenement
  const runtime = yield* Effect.runtime()
  const now = <A>(effect: Effect.Effect<A>): A => Runtime.runSync(runtime, effect)
  const report = Runtime.runFork(runtime)
  const { answerMs, bodyMs } = options.patience ?? patience
  const agent = new Http.Agent({ keepAlive: true, maxFreeSockets: 64, timeout: idleMs })
  const tunnels = new Set<Net.Socket>()
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const socket of tunnels) socket.destroy()
      agent.destroy()
    })
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

  /** What takes time; a defect in it is its request's. */
  const later =
    (request: Http.IncomingMessage, response: Http.ServerResponse): Choice.Ways["later"] => (effect, then) =>
      Runtime.runCallback(runtime)(effect, {
        onExit: (exit) => {
          if (Exit.isInterrupted(exit)) return
          guarded(request, response, () =>
            then(Exit.getOrElse(exit, (cause) => {
              throw Cause.squash(cause)
            })))
        }
      })

  const pass = (
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    { host, path }: Asked.Asked,
    target: Choice.Target,
    upgrade: Upgrade | null
  ) => {
    const { service } = target
    const begun = performance.now()
    let isFound = false
    const choice = Choice.make({
      traffic,
      now,
      later: later(request, response),
      found: () => {
        if (isFound || !Headers.hasBody(request)) return
        isFound = true
        // Before, nobody reads what it sends.
        request.socket.setTimeout(bodyMs)
        request.once("end", () => request.socket.setTimeout(0))
      }
    }, target)
    const count = (code: number) =>
      now(traffic.answered({ service, instance: choice.instance(), code, seconds: (performance.now() - begun) / 1000 }))
    let isCutByUs = false
    const onClose = () => {
      const isWhole = response.writableFinished
      choice.leave()
      if (!isWhole && !isCutByUs) now(traffic.refused(service, "client-left"))
      count(isWhole || isCutByUs ? response.statusCode : 499)
    }
    response.once("close", onClose)
    Exchange.run({ agent, answerTimeoutMs: answerMs }, {
      request,
      response,
      host,
      path,
      to: choice.to,
      connected: choice.connected,
      refuse: (refusal) => {
        if (refusal.kind !== null) now(traffic.refused(service, refusal.kind))
        Refusal.send(request, response, refusal)
      },
      brokeOff: () => {
        if (response.destroyed) return
        isCutByUs = true
        now(traffic.refused(service, "broken-off"))
        response.destroy()
      },
      upgrade: upgrade === null ? null : {
        protocol: upgrade.protocol,
        agreed: (answer, far, head) => {
          const { socket } = upgrade
          response.off("close", onClose)
          response.detachSocket(socket)
          count(101)
          tunnels.add(socket)
          socket.once("close", () => {
            tunnels.delete(socket)
            choice.leave()
          })
          Tunnel.open(upgrade, { socket: far, head, answer }, upgrade.protocol)
        }
      }
    })
  }

  const serve = (
    own: Http.RequestListener,
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    upgrade: Upgrade | null
  ) => {
    const asked = Asked.of(request)
    if (Either.isLeft(asked)) return Refusal.send(request, response, asked.left)
    const { host, path } = asked.right
    const current = now(config)
    const target = tableOf(current)(host, path)
    if (target._tag === "Supervisor") return own(request, response)
    if (target._tag !== "Nobody") return pass(request, response, asked.right, target, upgrade)
    now(traffic.refused(null, "no-route"))
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

  /** As if the connection were any other: for what asks for an upgrade and gets an answer. */
  const responseOn = (request: Http.IncomingMessage, socket: Net.Socket): Http.ServerResponse => {
    const response = new Http.ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once("finish", () => socket.end())
    return response
  }

  return (own: Http.RequestListener): Listeners => ({
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
