/**
 * A connection that has become something else than HTTP: bytes both ways, as they come.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Stream from "node:stream"
import * as Fields from "./Fields.ts"
import * as Headers from "./Headers.ts"

/** The head of the answer, on a connection that no `ServerResponse` writes to any more. */
const head = (answer: Http.IncomingMessage, protocol: string): string => {
  const raw = [...Headers.endToEnd(answer.rawHeaders), "Connection", "Upgrade", "Upgrade", protocol]
  return `HTTP/1.1 101 Switching Protocols\r\n${Fields.write(raw)}\r\n`
}

/**
 * Joins a client and an instance that has agreed. Each end's close is passed on by itself; when one breaks off, so does
 * the other.
 *
 * @since 0.1.0
 * @category combinators
 */
export const open = (
  client: { readonly socket: Stream.Duplex; readonly head: Buffer },
  instance: { readonly socket: Stream.Duplex; readonly head: Buffer; readonly answer: Http.IncomingMessage },
  protocol: string
): void => {
  const { socket: near } = client
  const { socket: far } = instance
  for (const [one, other] of [[near, far], [far, near]] as const) {
    one.on("error", () => other.destroy())
    one.once("close", () => {
      // What it said in the end may still be on its way.
      if (one.readableEnded && !other.writableFinished) other.once("finish", () => other.destroy())
      else other.destroy()
    })
  }
  near.write(head(instance.answer, protocol), "latin1")
  if (instance.head.length > 0) near.write(instance.head)
  if (client.head.length > 0) far.write(client.head)
  near.pipe(far)
  far.pipe(near)
}
