/**
 * The values that keys take: what the file writes, what it means, and what to say when it is something else.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { allow } from "../domain/Allowed.ts"
import * as Rules from "../domain/ConfigRules.ts"
import { GroupName, InstanceId, ServiceName } from "../domain/Names.ts"
import { Signal } from "../domain/Signal.ts"
import * as Durations from "./Durations.ts"

/**
 * A value that is read from another form: the file's form is what the JSON Schema tells.
 */
const readAs = <A, B, I>(
  from: Schema.Schema<A, I>,
  to: Schema.Schema<B>,
  allowed: string,
  read: (value: A) => Option.Option<B>,
  write: (value: B) => A
): Schema.Schema<B, I> =>
  Schema.transformOrFail(from, to, {
    strict: true,
    decode: (value, _, ast) => Either.fromOption(read(value), () => new ParseResult.Type(ast, value, `not ${allowed}`)),
    encode: (value) => ParseResult.succeed(write(value))
  }).pipe(allow(allowed))

/** Any text but none. */
export const someText = Schema.NonEmptyString.pipe(allow("text"))

/** Any text. */
export const anyText = Schema.String.pipe(allow("text"))

/** True or false. */
export const flag = Schema.Boolean.pipe(allow("true or false"))

const duration = (unit: "seconds" | "milliseconds", factor: number, min: number) => {
  const number = factor === 1 ? "milliseconds (250)" : "seconds (10)"
  return readAs(
    Schema.Union(Schema.Number, Schema.String).annotations({
      description: `a number of ${unit}, or a duration such as "250 millis", "10s", "5m", "1h30m"`
    }),
    Schema.Number,
    `${number} or a duration ("250 millis", "10s", "5m"), ${Rules.limitsOf(min)}`,
    (value) =>
      (typeof value === "number" ? Option.some(value * factor) : Durations.parse(value)).pipe(
        Option.map(Math.round),
        Option.filter((ms) => ms >= min && ms <= Rules.longestMs)
      ),
    (ms) => ms / factor
  )
}

/** A duration whose number is seconds. Gives whole milliseconds. */
export const seconds = (min = 0) => duration("seconds", 1000, min)

/** A duration whose number is milliseconds, as in keys that end in `_ms`. */
export const milliseconds = (min = 0) => duration("milliseconds", 1, min)

/** How many restarts are allowed; `Infinity` for `"unlimited"`. */
export const restarts = readAs(
  Schema.Union(Rules.restarts, Schema.Literal("unlimited")),
  Schema.Number,
  "a whole number from 0 to 1000000, or \"unlimited\"",
  (value) => Option.some(value === "unlimited" ? Infinity : value),
  (max) => max === Infinity ? "unlimited" : max
)

const hostAndPort = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/

const place = (allowed: string, accepts: (host: string, port: number) => boolean) =>
  readAs(
    Schema.String,
    Schema.NullOr(Schema.Struct({ host: Schema.String, port: Schema.Number })),
    allowed,
    (value) => {
      if (value === "off") return Option.some(null)
      const [, six, four, digits] = hostAndPort.exec(value) ?? []
      const host = six ?? four
      const port = Number(digits)
      return host === undefined || port > 65535 || !accepts(host, port) ? Option.none() : Option.some({ host, port })
    },
    (at) => at === null ? "off" : `${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`
  )

/** Where to listen; `null` for `"off"`. */
export const listen = place("HOST:PORT (\"127.0.0.1:8000\", \"[::1]:8000\") or \"off\"", () => true)

/** Where to be told of requests, by whoever can reach it. nginx has to know the port, so it is not left open. */
export const syslog = place(
  "a port of loopback (\"127.0.0.1:5514\", \"[::1]:5514\") or \"off\"",
  (host, port) => /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1)$/.test(host) && port > 0
)

/** Permission bits, in octal as `chmod` takes them. */
export const mode = readAs(
  Schema.String.pipe(Schema.pattern(/^0?[0-7]{3}$/)),
  Schema.Number,
  "permission bits in octal, in quotes (\"0660\")",
  (value) => Option.some(Number.parseInt(value, 8)),
  (bits) => bits.toString(8).padStart(4, "0")
)

const unprefixed = (signal: string): string => signal.slice(3)

/** A signal's name, with or without `SIG`. */
export const signal = readAs(
  Schema.Literal(...Signal.literals, ...Signal.literals.map(unprefixed)),
  Rules.signal,
  "a signal's name (\"SIGTERM\", \"SIGINT\", \"SIGQUIT\", …)",
  (value) => Option.fromNullable(Signal.literals.find((name) => name === value || unprefixed(name) === value)),
  (name) => name
)

/** A user or group, by name or number. */
export const account = readAs(
  Schema.Union(
    Rules.account,
    Schema.Int.pipe(Schema.between(0, 4_294_967_294))
  ),
  Schema.String,
  "a name or a number",
  (value) => Option.some(String(value)),
  (text) => text
)

/** A list whose elements say themselves what they may be. */
export const list = <A, I>(element: Schema.Schema<A, I>) => Schema.Array(element)

/** One text, or several. */
export const oneOrMore = readAs(
  Schema.Union(Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString)),
  Schema.Array(Schema.String),
  "text, or an array of texts",
  (value) => Option.some(typeof value === "string" ? [value] : value),
  (texts) => texts
)

/** A command line, or its words. */
export const command = Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Schema.String)).pipe(
  allow("a command line, or an array of its words")
)

/** The variables of an environment. Numbers and booleans stand for the text that they are. */
export const environment = Schema.Record({
  key: Rules.variable,
  value: readAs(
    Schema.Union(Schema.String, Schema.Int, Schema.Boolean),
    Schema.String,
    "text in quotes, a whole number, true or false",
    (value) => Option.some(String(value)),
    (text) => text
  )
})

const nameRule = "1 to 63 of a-z, 0-9, _ and -, beginning with a letter or a digit"

/** A service's name. */
export const serviceName = ServiceName.pipe(allow(`a service's name (${nameRule})`))

/** A group's name. */
export const groupName = GroupName.pipe(allow(`a group's name (${nameRule})`))

/** An instance's id. */
export const instanceId = InstanceId.pipe(allow(`an instance's id (${nameRule})`))
