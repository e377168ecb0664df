/**
 * One request and its answer, between a client and an instance.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type * as Net from "node:net"
import type * as Stream from "node:stream"
import { codeOf } from "../internal/errno.ts"
import type { Address } from "../layers/Endpoint.ts"
import type { RefusalKind } from "../layers/Metrics.ts"
import * as Headers from "./Headers.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * An exchange. `to` gives another address for each try, or says why there is none; it may take its time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly host: string
  readonly path: string
  readonly to: (then: (to: Address | Refusal) => void) => void
  /** This connection is used, which may have been used before. */
  readonly connected: (socket: Net.Socket) => void
  readonly refuse: (refusal: Refusal) => void
  /** The answer broke off after its head: the client is to see that it is not whole. */
  readonly brokeOff: () => void
  /** The protocol asked for, and what to do when the instance agrees. */
  readonly upgrade: {
    readonly protocol: string
    readonly agreed: (answer: Http.IncomingMessage, socket: Stream.Duplex, head: Buffer) => void
  } | null
}

/**
 * How exchanges are made: the connections kept open to instances, and how long one may say nothing before it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Engine {
  readonly agent: Http.Agent
  readonly answerTimeoutMs: number
}

const mostTries = 3

// RFC 9110, 9.2.2
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

const refusal = (kind: RefusalKind, status: number, message: string): Refusal => ({ kind, status, message })

/** What a person reads, and not what the file system looks like. */
const explain = (error: unknown, begun: boolean): Refusal => {
  const code = codeOf(error)
  if (code.startsWith("HPE_")) return refusal("bad-answer", 502, "what the service answered is not HTTP")
  if (!begun) return { ...refusal("connect", 502, `the service cannot be connected to (${code})`), retryAfter: 1 }
  return refusal("broken-off", 502, "the service closed the connection before it answered")
}

/** The answer's head and body, as they come. */
const relay = ({ brokeOff, refuse, request, response }: Exchange, answer: Http.IncomingMessage): void => {
  // The rest of a request that was answered early is nobody's.
  if (!request.complete) response.shouldKeepAlive = false
  try {
    response.writeHead(answer.statusCode ?? 0, answer.statusMessage, Headers.endToEnd(answer.rawHeaders))
  } catch {
    answer.destroy()
    return refuse(refusal("bad-answer", 502, "what the service answered cannot be passed on"))
  }
  // What comes bit by bit, as events do, is not kept until there is more of it.
  if (answer.headers["content-length"] === undefined) response.flushHeaders()
  answer.on("error", brokeOff)
  answer.pipe(response)
}

/**
 * Makes it. It is tried again where nothing has been sent, or where nothing can have happened twice: an idempotent
 * method without a body. A method that is not has a connection of its own, which cannot have been closed in the
 * meantime.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = (engine: Engine, exchange: Exchange): void => {
  const { request, response, upgrade } = exchange
  const method = request.method ?? "GET"
  const hasBody = Headers.hasBody(request)
  const isRepeatable = idempotent.has(method) && !hasBody && upgrade === null
  const headers = Headers.toInstance(request, exchange.host)
  if (upgrade !== null) headers.push("Connection", "Upgrade", "Upgrade", upgrade.protocol)

  const attempt = (left: number): void => exchange.to((to) => "status" in to ? exchange.refuse(to) : send(to, left))

  const send = (to: Address, left: number): void => {
    let begun = false
    let over = false
    const outgoing = Http.request({
      ...("path" in to ? { socketPath: to.path } : to),
      method,
      path: exchange.path,
      headers,
      agent: isRepeatable ? engine.agent : false,
      ...(upgrade === null ? {} : { allowHalfOpen: true } as object)
    })
    const leave = () => response.writableFinished ? undefined : outgoing.destroy()
    const end = (refused: Refusal | null) => {
      if (over) return
      over = true
      response.off("close", leave)
      outgoing.destroy()
      if (refused === null || response.destroyed || response.headersSent) return
      if (left > 1 && refused.status !== 504 && (!begun || (isRepeatable && refused.kind === "broken-off"))) {
        attempt(left - 1)
      } else exchange.refuse(refused)
    }
    const begin = () => {
      begun = true
      if (hasBody) request.pipe(outgoing)
      else outgoing.end()
    }
    response.once("close", leave)
    outgoing.on("error", (error) => end(explain(error, begun)))
    outgoing.on("socket", (socket: Net.Socket) => {
      exchange.connected(socket)
      if (socket.connecting) socket.once("connect", begin)
      else begin()
    })
    outgoing.setTimeout(
      engine.answerTimeoutMs,
      () => end(refusal("timeout", 504, `the service said nothing for ${engine.answerTimeoutMs / 1000} s`))
    )
    outgoing.once("upgrade", (answer, socket, head) => {
      if (over || upgrade === null) {
        socket.destroy()
        return end(refusal("bad-answer", 502, "the service changed the protocol, which nobody asked for"))
      }
      over = true
      response.off("close", leave)
      socket.setTimeout(0)
      upgrade.agreed(answer, socket, head)
    })
    outgoing.once("response", (answer) => {
      if (over) return
      over = true
      // From here on it may take its time: an instance may have nothing to say for hours.
      outgoing.setTimeout(0)
      outgoing.on("error", exchange.brokeOff)
      relay(exchange, answer)
    })
  }
  attempt(mostTries)
}
