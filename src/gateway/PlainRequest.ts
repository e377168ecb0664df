/**
 * Most requests are a head and nothing else. Those can be read at once, and only one way; whatever is not certain to be
 * one of them is left to Node's parser.
 *
 * @since 0.1.0
 */
import type * as Net from "node:net"
import type { RequestHead } from "./Headers.ts"

const mostBytes = 8192

const requestLine = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/
const field = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\x21-\x7e]+(?: [\x21-\x7e]+)*)\r\n/y

/** A body, another protocol, or another end of the connection than usual. */
const uncommon = new Set(["content-length", "transfer-encoding", "expect", "upgrade", "te", "trailer"])

const end = "\r\n"
const separator = "\r\n\r\n"

/**
 * The head that these bytes are, all of them: `GET` or `HEAD` of a path, one `Host`, no body, and a connection that stays
 * open. `null` for anything else.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (bytes: Buffer, socket: Net.Socket): RequestHead | null => {
  if (bytes.length > mostBytes) return null
  const text = bytes.toString("latin1")
  const last = text.length - end.length
  // Another head may follow: that is not for here.
  if (text.indexOf(separator) !== last - end.length) return null
  const line = requestLine.exec(text)
  if (line === null) return null
  const rawHeaders: Array<string> = []
  const headers: Record<string, string> = Object.create(null)
  field.lastIndex = line[0].length
  while (field.lastIndex < last) {
    const found = field.exec(text)
    if (found === null) return null
    const [, name = "", value = ""] = found
    const lower = name.toLowerCase()
    if (uncommon.has(lower) || (lower === "connection" && value.toLowerCase() !== "keep-alive")) return null
    const before = headers[lower]
    if (lower === "host" && before !== undefined) return null
    headers[lower] = before === undefined ? value : `${before}, ${value}`
    rawHeaders.push(name, value)
  }
  if (headers["host"] === undefined) return null
  return { method: line[1], url: line[2], httpVersion: "1.1", headers, rawHeaders, socket }
}
