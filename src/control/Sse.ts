/**
 * Server-sent events: one JSON object in each.
 *
 * @since 0.1.0
 */
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface Message {
  readonly event: string
  readonly id: string
  readonly data: string
}

/**
 * One event as it is sent. `data` must be JSON: it has no line break then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const encode = (
  message: { readonly event: string; readonly id?: number | string; readonly data: string }
): string =>
  `${message.id === undefined ? "" : `id: ${message.id}\n`}event: ${message.event}\ndata: ${message.data}\n\n`

/**
 * What is sent when there is nothing to say, so that a connection that is dead is noticed.
 *
 * @since 0.1.0
 * @category constants
 */
export const heartbeat = ":\n\n"

const parse = (block: string): Message => {
  const message = { event: "message", id: "", data: "" }
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":")
    if (colon <= 0) continue
    const field = line.slice(0, colon)
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "event" || field === "id") message[field] = value
    else if (field === "data") message.data = message.data === "" ? value : `${message.data}\n${value}`
  }
  return message
}

/**
 * The events of a body. Comments are left out; what follows the last empty line was cut off, and is no event.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = <E, R>(body: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Message, E, R> =>
  Stream.decodeText(body).pipe(
    Stream.mapAccum("", (rest, text) => {
      const blocks = (rest + text).split("\n\n")
      const open = blocks.pop() ?? ""
      return [open, blocks.map(parse).filter((message) => message.data !== "")]
    }),
    Stream.flattenIterables
  )
