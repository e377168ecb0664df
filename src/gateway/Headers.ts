/**
 * What of a message's head crosses the gateway: names and values in turn, as Node's `rawHeaders`.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import * as Fields from "./Fields.ts"

/**
 * What of a request its head tells.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestHead {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersion: string
  readonly headers: Readonly<Http.IncomingHttpHeaders>
  readonly rawHeaders: Fields.Raw
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/**
 * What a request says about where it comes from.
 *
 * @since 0.1.0
 * @category models
 */
export type Origin = {
  readonly [Name in "via" | "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto"]?:
    | Http.IncomingHttpHeaders[string]
    | undefined
}

const nothing: ReadonlySet<string> = new Set()

/**
 * The names of what belongs to one connection, as a pattern.
 *
 * @since 0.1.0
 * @category constants
 */
export const hopByHop = "connection|keep-alive|te|trailer|transfer-encoding|upgrade|http2-settings|proxy-[^:]*"

const isHopByHop = new RegExp(`^(?:${hopByHop})$`, "i")

const special = new Set(["date", "content-length", ...hopByHop.split("|")])
const specialLengths = new Set([...special].map(({ length }) => length))

/**
 * The name at this place of a text, in lower case, if it belongs to one connection or is `content-length` or `date`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const specialName = (text: string, start: number, end: number): string | null => {
  const first = text[start]
  const mayBeProxy = first === "p" || first === "P"
  if (!specialLengths.has(end - start) && !mayBeProxy) return null
  const name = text.slice(start, end).toLowerCase()
  return special.has(name) || (mayBeProxy && name.startsWith("proxy-")) ? name : null
}

/** What `Connection` cannot take from a message: without it, it would say something else, or be cut elsewhere. */
const inalienable = new Set([
  "host",
  "content-length",
  "content-type",
  "content-encoding",
  "authorization",
  "cookie",
  "set-cookie"
])

/** The fields that a message calls its own connection's. */
const namedBy = (raw: Fields.Raw): ReadonlySet<string> => {
  let names: Set<string> | null = null
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.length !== "connection".length || raw[index]?.toLowerCase() !== "connection") continue
    names ??= new Set()
    for (const option of (raw[index + 1] ?? "").toLowerCase().split(",")) names.add(option.trim())
  }
  return names ?? nothing
}

/**
 * All that is meant for the other end, in order. `without` are more names to leave out, in lower case.
 *
 * @since 0.1.0
 * @category combinators
 */
export const endToEnd = (raw: Fields.Raw, without: ReadonlySet<string> = nothing): Array<string> => {
  const named = namedBy(raw)
  const kept: Array<string> = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ""
    const lower = name.toLowerCase()
    const isLeftOut = isHopByHop.test(name) || without.has(lower) ||
      (named.has(lower) && !inalienable.has(lower))
    if (!isLeftOut) kept.push(name, raw[index + 1] ?? "")
  }
  return kept
}

const rewritten = new Set([
  "host",
  "content-length",
  "expect",
  "via",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto"
])

const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.")

const node = (address: string): string => address.includes(":") ? `"[${address}]"` : address

const quoted = (host: string): string => `"${/["\\]/.test(host) ? host.replaceAll(/["\\]/g, "\\$&") : host}"`

const appended = (before: string | undefined, own: string) =>
  before === undefined || before === "" ? own : `${before}, ${own}`

const one = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "object" ? value.join(", ") : value

/** A method without a body says so, unless everybody knows. */
const knownToHaveNone = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "CONNECT"])

/**
 * Whether a body follows the head.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hasBody = ({ headers }: RequestHead): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const framing = ({ headers, method = "GET" }: RequestHead): Fields.Raw =>
  headers["transfer-encoding"] !== undefined
    ? ["Transfer-Encoding", "chunked"]
    : headers["content-length"] !== undefined
    ? ["Content-Length", headers["content-length"]]
    : knownToHaveNone.has(method)
    ? []
    : ["Content-Length", "0"]

/**
 * Who asked for what, as fields. A proxy on this machine is believed what it says of its own client; from anywhere else,
 * it is replaced.
 *
 * @since 0.1.0
 * @category combinators
 */
export const told = (said: Origin, peer: string, host: string, httpVersion: string): Fields.Raw => {
  const isProxy = isLoopback(peer)
  const before = (name: Exclude<keyof Origin, "via">) => isProxy ? one(said[name]) : undefined
  return [
    "X-Forwarded-For",
    appended(before("x-forwarded-for"), peer),
    "X-Forwarded-Host",
    before("x-forwarded-host") ?? host,
    "X-Forwarded-Proto",
    before("x-forwarded-proto") ?? "http",
    "Forwarded",
    appended(before("forwarded"), `for=${node(peer)};host=${quoted(host)};proto=http`),
    "Via",
    appended(one(said.via), `${httpVersion} tenement`)
  ]
}

/**
 * The fields of the request to an instance: one `Host`, one framing, and who asked for what.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toInstance = (request: RequestHead, host: string): Array<string> => [
  "Host",
  host,
  ...endToEnd(request.rawHeaders, rewritten),
  ...framing(request),
  ...told(request.headers, peerOf(request.socket), host, request.httpVersion)
]

/**
 * The address of who has asked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const peerOf = ({ remoteAddress }: RequestHead["socket"]): string => remoteAddress ?? "unknown"

/**
 * The head of a request as it goes over the wire.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (method: string, path: string, raw: Fields.Raw): string =>
  `${method} ${path} HTTP/1.1\r\n${Fields.write(raw)}\r\n`

/**
 * How often a request has passed here already.
 *
 * @since 0.1.0
 * @category combinators
 */
export const passages = ({ headers }: RequestHead): number =>
  headers.via === undefined
    ? 0
    : (one(headers.via) ?? "").split(",").filter((part) => part.trim().endsWith(" tenement")).length
