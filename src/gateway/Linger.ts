/**
 * The end of an answer to somebody who is still talking.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import * as Headers from "./Headers.ts"

/** For so long a client that has its answer may go on. */
const lingerMs = 2000

/**
 * Ends an answer. A connection that is closed while bytes come in is reset, and with that the answer may be lost on its
 * way: so the rest of the request is read first, for a while.
 *
 * @since 0.1.0
 * @category combinators
 */
export const end = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  last: Buffer | null
): void => {
  if (request.complete || !Headers.hasBody(request)) {
    if (last === null) response.end()
    else response.end(last)
    return
  }
  if (last !== null) response.write(last)
  else response.flushHeaders()
  const timer = setTimeout(() => response.end(), lingerMs).unref()
  response.once("close", () => clearTimeout(timer))
  request.once("end", () => response.end())
  request.resume()
}
