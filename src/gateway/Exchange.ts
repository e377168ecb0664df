/**
 * One request and its answer, between a client and an instance.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { Address } from "../layers/Endpoint.ts"
import type { RefusalKind } from "../layers/Metrics.ts"
import type { Call, Failure, Patience, Running } from "./Connection.ts"
import * as Headers from "./Headers.ts"
import type { Refusal } from "./Refusal.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * Where an answer goes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sink {
  /** Nobody is there any more. */
  readonly isGone: boolean
  /** Something of an answer may be on its way. */
  readonly hasBegun: boolean
  /** The head; `length` is the body's, `null` where only its end tells. Throws for what cannot be passed on. */
  readonly begin: (status: number, reason: string, fields: string, length: number | null) => void
  /** A piece of the body, lent until it returns. `false`: no more, until `drained` is called. */
  readonly write: (chunk: Buffer, drained: () => void) => boolean
  /** What was written so far is all for now. */
  readonly flush: () => void
  readonly end: (last: Buffer | null) => void
}

/**
 * An exchange. `to` gives another address for each try, or says why there is none; it may take its time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  readonly method: string
  /** The head of the request to an instance. */
  readonly head: string
  /** A body that follows the head. */
  readonly body: Http.IncomingMessage | null
  readonly sink: Sink
  readonly to: (then: (to: Address | Refusal) => void) => void
  /** This connection was made for it; others may use it later. */
  readonly connected: (socket: Net.Socket) => void
  /** The instance is being stopped, and was not given longer than this. */
  readonly isOverdue: () => boolean
  readonly refuse: (refusal: Refusal) => void
  /** The answer broke off after its head: the client is to see that it is not whole. */
  readonly brokeOff: () => void
}

/**
 * On so many connections a request is tried.
 *
 * @since 0.1.0
 * @category constants
 */
export const mostTries = 3

// RFC 9110, 9.2.2
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

const refusal = (kind: RefusalKind | null, status: number, message: string): Refusal => ({ kind, status, message })

const tooLate = refusal("timeout", 504, "the service was stopped before it answered: drain_timeout was over")

/** What a person reads, and not what the file system looks like. */
const explain = ({ code, kind }: Failure, { answerMs, bodyMs }: Patience): Refusal => {
  switch (kind) {
    case "connect":
      return { ...refusal("connect", 502, `the service cannot be connected to (${code})`), retryAfter: 1 }
    case "broken-off":
      return refusal("broken-off", 502, "the service closed the connection before it answered")
    case "bad-answer":
      return refusal("bad-answer", 502, "what the service answered is not HTTP")
    case "answer-timeout":
      return refusal("timeout", 504, `the service said nothing for ${answerMs / 1000} s`)
    case "body-timeout":
      return refusal(null, 408, `nothing of the body came for ${bodyMs / 1000} s`)
  }
}

/**
 * Makes it; what it gives ends it early. It is tried again where nothing has been sent, or where nothing can have
 * happened twice and nothing came back: an idempotent method without a body. A method that is not has a new connection,
 * which cannot have been closed in the meantime.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = (upstream: Upstream, exchange: Exchange): () => void => {
  const { body, head, method, sink } = exchange
  const isRepeatable = idempotent.has(method) && body === null
  let left = mostTries
  let running: Running | null = null
  let isFlushed = false

  const attempt = () =>
    exchange.to((to) => {
      if ("status" in to) return exchange.refuse(to)
      left -= 1
      running = upstream.run(to, call)
    })
  const abort = () => {
    running?.abort()
    running = null
  }
  const goOn = () => running?.resume()
  const call: Call = {
    head,
    isHead: method === "HEAD",
    body: body === null ? null : { from: body, isChunked: body.headers["transfer-encoding"] !== undefined },
    mayReuse: isRepeatable,
    connected: exchange.connected,
    onHead: ({ fields, length, reason, status }) => {
      try {
        sink.begin(status, reason, Headers.crossing(fields), length)
      } catch {
        abort()
        exchange.refuse(refusal("bad-answer", 502, "what the service answered cannot be passed on"))
      }
    },
    onData: (chunk) => {
      isFlushed = true
      return sink.write(chunk, goOn)
    },
    onPause: () => {
      // What comes bit by bit, as events do, is not kept until there is more of it.
      if (isFlushed || !sink.hasBegun) return
      isFlushed = true
      sink.flush()
    },
    onEnd: (last) => {
      running = null
      sink.end(last)
    },
    onFailure: (failure) => {
      running = null
      if (sink.isGone) return
      if (sink.hasBegun) return exchange.brokeOff()
      const mayAgain = failure.kind === "connect" ||
        (isRepeatable && failure.kind === "broken-off" && !failure.isHeard)
      if (mayAgain && left > 0) attempt()
      else exchange.refuse(exchange.isOverdue() ? tooLate : explain(failure, upstream.patience))
    }
  }
  attempt()
  return abort
}
