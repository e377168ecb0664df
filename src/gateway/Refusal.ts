/**
 * What the gateway itself has to say, in the place of an instance.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type { RefusalKind } from "../layers/Metrics.ts"

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
 * Answers with it. Nothing more is read from a client that has not said everything yet, or that cannot be understood.
 *
 * @since 0.1.0
 * @category combinators
 */
export const send = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  { kind, message, retryAfter, status }: Refusal
): void => {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = `${status} ${Http.STATUS_CODES[status] ?? ""}: ${message}\n`
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    ...(retryAfter === undefined ? {} : { "Retry-After": retryAfter }),
    ...(request.complete && kind !== null ? {} : { Connection: "close" })
  })
  response.end(body)
}
