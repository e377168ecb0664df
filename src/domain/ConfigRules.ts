/**
 * What the values of a configuration may be, one by one. The keys of the file are read by the same rules.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { allow, allowedBy, int, literal, number, oneOf, text } from "./Allowed.ts"
import {
  type GroupConfig,
  IsolationLevel,
  ReadinessMode,
  RestartMode,
  RolloutMode,
  type ServiceConfig,
  type Settings
} from "./Config.ts"
import * as Signal from "./Signal.ts"
import { Strategy } from "./Strategy.ts"

/**
 * The longest duration, 10 days: twice as much still fits a timer, whose limit is 2^31 - 1 ms.
 *
 * @since 0.1.0
 * @category durations
 */
export const longestMs = 10 * 24 * 3600 * 1000

/**
 * The least of those durations that must not be 0, in milliseconds.
 *
 * @since 0.1.0
 * @category durations
 */
export const least = {
  healthInterval: 10,
  healthTimeout: 1,
  startupTimeout: 1,
  restartWindow: 1,
  backoffBase: 1,
  backoffMax: 1
} as const

const spell = (ms: number): string => ms % 86_400_000 === 0 && ms > 0 ? `${ms / 86_400_000} days` : `${ms} ms`

/**
 * The limits of a duration in words.
 *
 * @since 0.1.0
 * @category durations
 */
export const limitsOf = (min: number): string =>
  `${min === 0 ? "" : `at least ${spell(min)} and `}at most ${spell(longestMs)}`

const milliseconds = (min = 0) =>
  Schema.Int.pipe(Schema.between(min, longestMs), allow(`whole milliseconds, ${limitsOf(min)}`))

const mostRestarts = 1_000_000

/**
 * A number of restarts, where it is limited.
 *
 * @since 0.1.0
 * @category rules
 */
export const restarts = Schema.Int.pipe(Schema.between(0, mostRestarts))

const restartsOrInfinity = Schema.Union(restarts, Schema.Literal(Infinity)).pipe(
  allow(`a whole number from 0 to ${mostRestarts}, or Infinity`)
)

/**
 * A user or group by its name, or by its number as text.
 *
 * @since 0.1.0
 * @category rules
 */
export const account = text("a name or a number", /^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}\$?$/)

/**
 * The name of an environment variable. `__proto__` is the one name that a JavaScript object cannot hold.
 *
 * @since 0.1.0
 * @category rules
 */
export const variable = text(
  "a variable's name: letters, digits and _",
  /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_.-]*$/
)

/**
 * A path to GET.
 *
 * @since 0.1.0
 * @category rules
 */
export const health = text("a path that begins with / (\"/health\")", /^\/[!-~]*$/)

/**
 * A TCP port, or any that is free.
 *
 * @since 0.1.0
 * @category rules
 */
export const port = Schema.Union(int(1, 65_535), oneOf("auto")).pipe(
  allow("a whole number from 1 to 65535, or \"auto\"")
)

const orNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.NullOr(schema).pipe(allow(`${Option.getOrElse(allowedBy(schema.ast), () => "")}, or null`))

/**
 * A signal that asks a process to stop.
 *
 * @since 0.1.0
 * @category rules
 */
export const signal = Signal.Signal.pipe(allow("a signal's name (\"SIGTERM\", \"SIGINT\", \"SIGQUIT\", …)"))

/**
 * A capability of the kernel.
 *
 * @since 0.1.0
 * @category rules
 */
export const capability = text("a capability (\"CAP_NET_BIND_SERVICE\")", /^CAP_[A-Z_]{1,40}$/)

/**
 * A cgroup, as a path from the root of its hierarchy.
 *
 * @since 0.1.0
 * @category rules
 */
export const cgroup = text("a cgroup's path (\"/tenement\")", /^(\/(?!\.\.?(\/|$))[^/\n\0]+)+$/)

/**
 * A weight, 100 being the usual one.
 *
 * @since 0.1.0
 * @category rules
 */
export const cpuShares = int(1, 10_000)

/**
 * Processors; the kernel gives no less than a hundredth of one.
 *
 * @since 0.1.0
 * @category rules
 */
export const cpuLimit = number(0.01, 100_000)

/**
 * Processes and threads; the kernel knows no more.
 *
 * @since 0.1.0
 * @category rules
 */
export const pidsLimit = int(1, 4_194_304)

type Rules<A, K extends keyof A> = { readonly [Property in K]: Schema.Schema<A[Property]> }

/**
 * Of `Settings`. Paths are checked as a whole, with what they are for.
 *
 * @since 0.1.0
 * @category rules
 */
export const settings = {
  domain: text("a domain (\"example.com\")", /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/),
  startConcurrency: int(1, 10_000),
  cgroupRoot: orNull(cgroup),
  logMaxBytes: int(1024, 1024 ** 4),
  logKeep: int(0, 10_000)
} satisfies Rules<Settings, Exclude<keyof Settings, "dataDir" | "socket" | "runDir" | "listen" | "syslog">>

/**
 * Of `ServiceConfig`, as far as a value can be judged by itself.
 *
 * @since 0.1.0
 * @category rules
 */
export const service = {
  user: orNull(account),
  group: orNull(account),
  socketMode: int(0, 0o777),
  port: orNull(port),
  socketActivation: Schema.Boolean.pipe(allow("true or false")),
  health: orNull(health),
  healthIntervalMs: milliseconds(least.healthInterval),
  healthTimeoutMs: milliseconds(least.healthTimeout),
  healthRetries: int(1, 1000),
  readiness: literal(ReadinessMode),
  startupTimeoutMs: milliseconds(least.startupTimeout),
  restart: literal(RestartMode),
  maxRestarts: restartsOrInfinity,
  restartWindowMs: milliseconds(least.restartWindow),
  backoffBaseMs: milliseconds(least.backoffBase),
  backoffMaxMs: milliseconds(least.backoffMax),
  backoffJitter: number(0, 1),
  stableAfterMs: milliseconds(),
  stopSignal: signal,
  stopTimeoutMs: milliseconds(),
  isolation: literal(IsolationLevel),
  network: oneOf("host", "none"),
  privateTmp: Schema.Boolean.pipe(allow("true or false")),
  capabilities: Schema.Array(capability).pipe(allow("an array of capabilities")),
  sandboxRuntime: oneOf("gvisor", "bubblewrap"),
  memoryLimitBytes: orNull(int(1024 ** 2, 1024 ** 5)),
  cpuShares: orNull(cpuShares),
  cpuLimit: orNull(cpuLimit),
  pidsLimit: orNull(pidsLimit),
  restartMode: literal(RolloutMode),
  drainTimeoutMs: milliseconds(),
  idleTimeoutMs: milliseconds(),
  weight: int(0, 10_000)
} satisfies Rules<
  ServiceConfig,
  Exclude<
    keyof ServiceConfig,
    | "name"
    | "source"
    | "argv"
    | "cwd"
    | "env"
    | "envFiles"
    | "secrets"
    | "socket"
    | "socketDeclared"
    | "dependsOn"
    | "instances"
  >
>

/**
 * Of `GroupConfig`.
 *
 * @since 0.1.0
 * @category rules
 */
export const group = {
  strategy: literal(Strategy),
  maxRestarts: restartsOrInfinity,
  restartWindowMs: milliseconds(least.restartWindow)
} satisfies Rules<GroupConfig, Exclude<keyof GroupConfig, "name" | "services">>
