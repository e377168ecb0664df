/**
 * An answer that goes out through Node's server.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type { Sink } from "./Exchange.ts"
import * as Fields from "./Fields.ts"
import * as Linger from "./Linger.ts"

/**
 * A client that takes nothing for `slowMs` is given up.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (request: Http.IncomingMessage, response: Http.ServerResponse, slowMs: number): Sink => ({
  get isGone() {
    return response.destroyed
  },
  get hasBegun() {
    return response.headersSent
  },
  begin: ({ fields, reason, status }) => {
    // The rest of a request that was answered early is nobody's.
    if (!request.complete) response.shouldKeepAlive = false
    response.writeHead(status, reason, Fields.read(fields))
  },
  write: (chunk, drained) => {
    if (response.write(Buffer.from(chunk))) return true
    response.socket?.setTimeout(slowMs)
    response.once("drain", () => {
      response.socket?.setTimeout(0)
      drained()
    })
    return false
  },
  flush: () => response.flushHeaders(),
  end: (last) => Linger.end(request, response, last === null ? null : Buffer.from(last))
})
