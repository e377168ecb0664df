/**
 * What the gateway itself has to say, in the place of an instance.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type { RefusalKind } from "../layers/Metrics.ts"
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

/**
 * It as an answer: the head's fields, and the body.
 *
 * @since 0.1.0
 * @category combinators
 */
export const render = (
  { message, retryAfter, status }: Refusal
): { readonly raw: Headers.Raw; readonly body: Buffer } => {
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
  response.writeHead(refusal.status, mayFollow ? [...raw] : [...raw, "Connection", "close"])
  Linger.end(request, response, body)
}
