/**
 * What the gateway itself has to say, in the place of an instance.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type { RefusalKind } from "../layers/Metrics.ts"
import type { Failure, Patience } from "./Connection.ts"
import type * as Fields from "./Fields.ts"
import * as Headers from "./Headers.ts"
import * as Linger from "./Linger.ts"

/**
 * A status, and a sentence for whoever asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refusal {
  readonly status: number
  readonly message: string
  /** What it counts as; `null` where the request itself is wrong. */
  readonly kind: RefusalKind | null
  /** Seconds after which asking again may help. */
  readonly retryAfter?: number
}

const of = (kind: RefusalKind | null, status: number, message: string): Refusal => ({ kind, status, message })

/**
 * What a person reads of a failure, and not what the file system looks like.
 *
 * @since 0.1.0
 * @category constructors
 */
export const because = (
  { code, kind }: Pick<Failure, "code" | "kind">,
  { answerMs, bodyMs }: Patience
): Refusal => {
  switch (kind) {
    case "connect":
      return { ...of("connect", 502, `the service cannot be connected to (${code})`), retryAfter: 1 }
    case "broken-off":
      return of("broken-off", 502, "the service closed the connection before it answered")
    case "bad-answer":
      return of("bad-answer", 502, "what the service answered is not HTTP")
    case "answer-timeout":
      return of("timeout", 504, `the service said nothing for ${answerMs / 1000} s`)
    case "body-timeout":
      return of(null, 408, `nothing of the body came for ${bodyMs / 1000} s`)
  }
}

/**
 * @since 0.1.0
 * @category constants
 */
export const tooLate: Refusal = of("timeout", 504, "the service was stopped before it answered: drain_timeout was over")

/**
 * Node's server refuses to send what the service answered.
 *
 * @since 0.1.0
 * @category constants
 */
export const unfit: Refusal = of("bad-answer", 502, "what the service answered cannot be passed on")

/**
 * @since 0.1.0
 * @category constants
 */
export const defect: Refusal = of(null, 500, "this is a defect in tenement")

/**
 * It as an answer: the head's fields, and the body.
 *
 * @since 0.1.0
 * @category combinators
 */
export const render = (
  { message, retryAfter, status }: Refusal
): { readonly raw: Fields.Raw; readonly body: Buffer } => {
  const body = Buffer.from(`${status} ${Http.STATUS_CODES[status] ?? ""}: ${message}\n`)
  const raw = [
    "Content-Type",
    "text/plain; charset=utf-8",
    "Content-Length",
    String(body.length),
    "Cache-Control",
    "no-store"
  ]
  if (retryAfter !== undefined) raw.push("Retry-After", String(retryAfter))
  return { raw, body }
}

/**
 * Answers with it. No other request is taken from a client that has not said everything yet, or that cannot be
 * understood.
 *
 * @since 0.1.0
 * @category combinators
 */
export const send = (request: Http.IncomingMessage, response: Http.ServerResponse, refusal: Refusal): void => {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { body, raw } = render(refusal)
  const mayFollow = refusal.kind !== null && (request.complete || !Headers.hasBody(request))
  if (!mayFollow) response.shouldKeepAlive = false
  response.writeHead(refusal.status, [...raw])
  Linger.end(request, response, body)
}
