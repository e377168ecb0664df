/**
 * What nginx tells of a request that it has passed on: the words that it is given for it, and what they mean. Anybody on
 * the machine can say the same, so nothing in it is believed before it is checked.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

/**
 * nginx's variables. Names and numbers of its own, and no word of a client's: nobody who asks can forge a line.
 *
 * @since 0.1.0
 * @category constants
 */
export const variables = {
  service: "$proxy_host",
  upstream: "$upstream_addr",
  status: "$status",
  seconds: "$request_time",
  bytes: "$bytes_sent",
  connected: "$upstream_connect_time",
  answered: "$upstream_header_time"
} as const

/**
 * A line. `upstream` are the addresses that were tried; `connected` and `answered` are times, or a dash where it never came
 * to that, of each of them.
 *
 * @since 0.1.0
 * @category models
 */
export type Line = { readonly [Key in keyof typeof variables]: string }

/**
 * What became of a request: who was asked last, and what kept it from answering, if anything did. `address` is the
 * upstream's own name where nobody could be asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served {
  readonly upstream: string
  readonly address: string
  readonly code: number
  readonly seconds: number
  readonly kind: "connect" | "broken-off" | "timeout" | "bad-answer" | "client-left" | null
}

/** Longer than any line that nginx can have meant. */
const mostBytes = 8192

/** `<190>Nov 30 10:50:55 web-1 tenement: {…}`, as RFC 3164 has it; the host is left out, or not. */
const frame = /^<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:[^\s:]{1,255} )?[\w/.-]{1,32}: (\{.*\})\s*$/s

const keys = Object.keys(variables)

const isLine = (value: unknown): value is Line =>
  typeof value === "object" && value !== null &&
  keys.every((key) => Object.hasOwn(value, key) && typeof Reflect.get(value, key) === "string")

const json = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/**
 * The line in a datagram, if it is one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (datagram: Uint8Array): Option.Option<Line> =>
  datagram.length > mostBytes
    ? Option.none()
    : Option.fromNullable(frame.exec(new TextDecoder().decode(datagram))?.[1]).pipe(
      Option.flatMap(json),
      Option.filter(isLine)
    )

/** The last of several, as nginx lists them: tries after a comma, other locations after a colon. */
const last = (list: string): string => list.split(/, | : /).at(-1) ?? ""

const happened = (time: string): boolean => /^\d/.test(last(time))

/** nginx does not tell a connection that broke off from an answer that makes no sense. */
const kindOf = (line: Line, code: number): Served["kind"] =>
  code === 499
    ? "client-left"
    : happened(line.answered)
    ? (code < 100 || code > 599 ? "bad-answer" : null)
    : code === 504
    ? "timeout"
    : code < 500
    ? null
    : happened(line.connected)
    ? "broken-off"
    : "connect"

/**
 * What a line means, if it means anything. Of an upgrade, only the time until it was agreed to is the request's: the
 * connection goes on for as long as it likes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const served = (line: Line): Option.Option<Served> => {
  const seconds = line.status === "101" ? last(line.answered) : line.seconds
  if (!/^\d{3}$/.test(line.status) || !/^\d{1,8}\.\d{3}$/.test(seconds)) return Option.none()
  const code = Number(line.status)
  const kind = kindOf(line, code)
  return Option.some({
    upstream: line.service,
    address: last(line.upstream),
    code: kind === "bad-answer" ? 502 : code,
    seconds: Number(seconds),
    kind
  })
}
