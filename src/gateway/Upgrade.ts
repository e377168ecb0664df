/**
 * A request to change the protocol, and what an instance answers to it.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type * as Net from "node:net"
import type * as Stream from "node:stream"
import { codeOf } from "../internal/errno.ts"
import type { Address } from "../layers/Endpoint.ts"
import type { Failure, Patience } from "./Connection.ts"
import * as Exchange from "./Exchange.ts"
import * as Headers from "./Headers.ts"
import * as Refusal from "./Refusal.ts"

/**
 * The protocol asked for, and what to do when the instance agrees.
 *
 * @since 0.1.0
 * @category models
 */
export interface Wanted {
  readonly protocol: string
  readonly agreed: (answer: Http.IncomingMessage, socket: Stream.Duplex, head: Buffer) => void
}

/**
 * Who asks: an answer that is no agreement goes out through Node's server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asking extends Exchange.Asking {
  readonly request: Http.IncomingMessage
  readonly host: string
  readonly path: string
  readonly response: Http.ServerResponse
}

/** An answer that is no agreement: its head and body, as they come. */
const relay = ({ brokeOff, refuse, response }: Asking, answer: Http.IncomingMessage): void => {
  try {
    response.writeHead(answer.statusCode ?? 0, answer.statusMessage, Headers.endToEnd(answer.rawHeaders))
  } catch {
    answer.destroy()
    return refuse(Refusal.unfit)
  }
  if (answer.headers["content-length"] === undefined) response.flushHeaders()
  answer.on("error", brokeOff)
  answer.pipe(response)
}

/**
 * Asks an instance for it, on a connection of its own; what it gives ends the request early.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = (patience: Patience, asked: Asking, { agreed, protocol }: Wanted): () => void => {
  const { request, response } = asked
  const headers = Headers.toInstance(request, asked.host)
  headers.push("Connection", "Upgrade", "Upgrade", protocol)
  let outgoing: Http.ClientRequest | null = null

  const attempt = (left: number): void => asked.to((to) => "status" in to ? asked.refuse(to) : ask(to, left))

  const ask = (to: Address, left: number): void => {
    let begun = false
    let over = false
    const asking = Http.request({
      ...("path" in to ? { socketPath: to.path } : to),
      method: request.method,
      path: asked.path,
      headers,
      agent: false,
      ...({ allowHalfOpen: true } as object)
    })
    outgoing = asking
    const end = (kind: Failure["kind"], code = "") => {
      if (over) return
      over = true
      asking.destroy()
      if (response.destroyed || response.headersSent) return
      if (left > 1 && kind === "connect") attempt(left - 1)
      else asked.refuse(Refusal.because({ kind, code }, patience))
    }
    asking.on("error", (error) => {
      const code = codeOf(error)
      end(code.startsWith("HPE_") ? "bad-answer" : begun ? "broken-off" : "connect", code)
    })
    asking.once("socket", (socket: Net.Socket) => {
      asked.connected(socket)
      socket.once("connect", () => begun = true)
    })
    asking.setTimeout(patience.answerMs, () => end("answer-timeout"))
    asking.once("upgrade", (answer, socket, head) => {
      if (over) return void socket.destroy()
      over = true
      outgoing = null
      socket.setTimeout(0)
      agreed(answer, socket, head)
    })
    asking.once("response", (answer) => {
      if (over) return
      over = true
      // From here on it may take its time: an instance may have nothing to say for hours.
      asking.setTimeout(0)
      asking.on("error", asked.brokeOff)
      relay(asked, answer)
    })
    asking.end()
  }
  attempt(Exchange.mostTries)
  return () => outgoing?.destroy()
}
