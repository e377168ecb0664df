/**
 * The whole of `tenement.toml` as one schema: what is decoded and what editors are told come from here.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { IsolationLevel, ReadinessMode, RestartMode } from "../domain/Config.ts"
import { Strategy } from "../domain/Strategy.ts"
import * as Values from "./Values.ts"

const described = <A, I>(schema: Schema.Schema<A, I>, description: string): Schema.Schema<A, I> =>
  schema.annotations({ description })

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** A key that must be there. */
const needed = <A, I>(schema: Schema.Schema<A, I>, description: string) => ({ field: described(schema, description) })

/** A key that may be left out; its description says what holds then. */
const maybe = <A, I>(schema: Schema.Schema<A, I>, description: string) => ({
  field: optional(described(schema, description))
})

/** A key with a default, given as the file would write it. */
const key = <A, I>(schema: Schema.Schema<A, I>, written: I, description: string) => {
  const standard = Either.getOrThrow(Schema.decodeEither(schema)(written))
  return { field: optional(described(schema, description).annotations({ default: standard })), standard }
}

type Keys = Readonly<Record<string, { readonly field: Schema.Struct.Field; readonly standard?: unknown }>>

type FieldsOf<K extends Keys> = { readonly [N in keyof K]: K[N]["field"] }

type StandardsOf<K extends Keys> = {
  readonly [N in keyof K as K[N] extends { readonly standard: unknown } ? N : never]: K[N]["standard"]
}

// Defaults are no part of the schema: it would check each of them again for each service.
const fieldsOf = <K extends Keys>(keys: K): FieldsOf<K> => mapped(keys, ({ field }) => [field]) as FieldsOf<K>

const standardsOf = <K extends Keys>(keys: K): StandardsOf<K> =>
  mapped(keys, (key) => "standard" in key ? [key.standard] : []) as StandardsOf<K>

const mapped = <K extends Keys>(keys: K, pick: (key: Keys[string]) => ReadonlyArray<unknown>): object =>
  Object.fromEntries(Object.entries(keys).flatMap(([name, key]) => pick(key).map((picked) => [name, picked])))

const { milliseconds, seconds } = Values

const settingsKeys = {
  data_dir: maybe(
    Values.someText,
    "State, logs, and a folder for each instance: {data_dir}/{service}/{id}. " +
      "Default: /var/lib/tenement for root, $XDG_STATE_HOME/tenement for others."
  ),
  socket: maybe(
    Values.someText,
    "The control socket, mode 0600. " +
      "Default: /run/tenement/tenement.sock for root, $XDG_RUNTIME_DIR/tenement.sock for others."
  ),
  run_dir: maybe(
    Values.someText,
    "The folder of public sockets, {run_dir} in templates. Default: a folder beside the control socket."
  ),
  listen: key(
    Values.listen,
    "127.0.0.1:8000",
    "Where metrics, dashboard, API and gateway are served; \"off\" for nowhere."
  ),
  domain: key(
    Values.text("a domain (\"example.com\")", /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/),
    "localhost",
    "The gateway's root domain."
  ),
  health_check_interval: key(
    seconds(10),
    10,
    "Time between two health checks of an instance, unless its service says."
  ),
  max_restarts: key(
    Values.restarts,
    3,
    "Automatic restarts of an instance that are borne within restart_window, unless its service says. " +
      "With 0 the first crash is final, \"unlimited\" never gives up."
  ),
  restart_window: key(seconds(1), 300, "The window that max_restarts counts in."),
  start_concurrency: maybe(Values.int(1, 10_000), "Starts under way at once. Default: two for each processor."),
  backoff_base_ms: key(milliseconds(1), 1000, "The first restart's delay; each further one in a row doubles it."),
  backoff_max_ms: key(milliseconds(1), 60_000, "The longest delay of a restart."),
  cgroup_root: maybe(
    Values.someText,
    "The cgroup under which instances get theirs. Default: the one that the supervisor is in."
  ),
  log_max_mb: key(Values.number(0.001, 1_000_000), 10, "An instance's log is rotated at this size, in MiB."),
  log_keep: key(Values.int(0, 10_000), 5, "Rotated logs that are kept for each instance.")
}

export const SettingsTable = Schema.Struct(fieldsOf(settingsKeys))

/**
 * `[settings]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type Settings = typeof SettingsTable.Type & typeof settings

/**
 * The defaults of `[settings]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const settings = standardsOf(settingsKeys)

const accountKeys = {
  user: maybe(Values.account, "Run as this user. Default: the supervisor's."),
  group: maybe(Values.account, "Run as this group. Default: the user's.")
}

const endpointKeys = {
  socket: maybe(
    Values.someText,
    "The public path of its Unix socket, a template. Without {id} in it, any instance but \"default\" gets -ID before the " +
      "extension. Default: {run_dir}/{name}-{id}.sock."
  ),
  socket_mode: key(Values.mode, "0666", "Permission bits of the socket."),
  port: maybe(
    Schema.Union(Values.int(1, 65_535), Values.oneOf("auto")).annotations({
      [Values.Allowed]: "a whole number from 1 to 65535, or \"auto\""
    }),
    "A TCP port, passed as PORT; \"auto\" takes one that is free on loopback. Default: none."
  ),
  socket_activation: key(Values.flag, false, "The supervisor listens and hands the socket over, as LISTEN_FDS tells.")
}

const healthKeys = {
  health: maybe(
    Values.text("a path that begins with / (\"/health\")", /^\/[!-~]*$/),
    "A path to GET; an answer of 2xx or 3xx is healthy. Default: no health checks."
  ),
  health_interval: maybe(seconds(10), "Time between two health checks. Default: settings.health_check_interval."),
  health_timeout: key(seconds(1), 5, "A check without an answer in this time has failed."),
  health_retries: key(Values.int(1, 1000), 3, "So many failed checks in a row are unhealthy, and restart it."),
  readiness: maybe(
    Values.literal(ReadinessMode),
    "What tells that it can be used. Default: health if that is set, else socket if that is set, else started."
  ),
  startup_timeout: key(seconds(1), 30, "Not ready in this time is a failed start.")
}

const restartKeys = {
  restart: key(
    Values.literal(RestartMode),
    "on-failure",
    "When a run that ended is followed by another. A failure is a non-zero exit, a signal, running out of memory, " +
      "failing health, or a failed start."
  ),
  max_restarts: maybe(
    Values.restarts,
    "Automatic restarts borne within restart_window. Default: settings.max_restarts."
  ),
  restart_window: maybe(seconds(1), "The window that max_restarts counts in. Default: settings.restart_window."),
  backoff_base_ms: maybe(milliseconds(1), "The first restart's delay. Default: settings.backoff_base_ms."),
  backoff_max_ms: maybe(milliseconds(1), "The longest delay of a restart. Default: settings.backoff_max_ms."),
  backoff_jitter: key(Values.number(0, 1), 0.1, "A random share of the delay, more or less."),
  stable_after: maybe(
    seconds(),
    "After so long in good health the next restart's delay is the first one again. Default: backoff_max_ms."
  )
}

const stopKeys = {
  stop_signal: key(Values.signal, "SIGTERM", "The signal that asks it to stop."),
  stop_timeout: key(seconds(), 10, "Then the whole process tree is killed.")
}

const isolationKeys = {
  isolation: key(
    Values.literal(IsolationLevel),
    "namespace",
    "How far it is kept from the host and from its neighbours."
  ),
  network: maybe(Values.oneOf("host", "none"), "Its network. Default: host; none in a sandbox."),
  private_tmp: maybe(Values.flag, "Whether /tmp is its own. Default: false; true in a sandbox."),
  capabilities: key(
    Values.list(Values.text("a capability (\"CAP_NET_BIND_SERVICE\")", /^CAP_[A-Z_]{1,40}$/)),
    [],
    "Capabilities that it holds."
  ),
  sandbox_runtime: key(Values.oneOf("gvisor", "bubblewrap"), "gvisor", "What makes the sandbox.")
}

const limitKeys = {
  memory_limit_mb: maybe(
    Values.number(1, 100_000_000),
    "Memory it may use, in MiB; more gets it killed. Default: no limit."
  ),
  cpu_shares: maybe(
    Values.int(1, 10_000),
    "Weight when the processors are busy; 100 is the usual. Default: the usual."
  ),
  cpu_limit: maybe(Values.number(0.01, 100_000), "Processors it may use, such as 0.5. Default: no limit."),
  pids_limit: maybe(Values.int(1, 4_194_304), "Processes and threads it may have. Default: no limit.")
}

const trafficKeys = {
  idle_timeout: key(seconds(), 0, "Stopped after so long without a request, and woken by the next; 0 is never."),
  restart_mode: key(
    Values.oneOf("sequential", "rolling"),
    "sequential",
    "Whether a restart stops the old run first or last."
  ),
  weight: key(Values.int(0, 10_000), 100, "Share of the service's traffic.")
}

const serviceKeys = {
  command: needed(
    Values.command,
    "What to run. A text is split into words as a POSIX shell does it, but nothing is expanded and no shell is run; an " +
      "array is taken as it is. With args, it is one word."
  ),
  args: maybe(Values.list(Values.anyText), "The arguments, where command is only the program."),
  cwd: maybe(Values.someText, "The working folder, a template. Default: the folder of the file."),
  env: maybe(Values.environment, "Environment variables. Their values are templates."),
  env_file: maybe(Values.oneOrMore, "Files of NAME=VALUE lines. What they hold is never shown."),
  ...accountKeys,
  ...endpointKeys,
  ...healthKeys,
  ...restartKeys,
  ...stopKeys,
  depends_on: key(Values.list(Values.serviceName), [], "Services whose instances must be ready first."),
  instances: maybe(
    Values.list(Values.instanceId),
    "Ids of the instances to start with the supervisor. Default: default."
  ),
  ...isolationKeys,
  ...limitKeys,
  ...trafficKeys,
  schedule: maybe(Values.someText, "A cron expression: run to completion at these times, instead of always.")
}

export const ServiceTable = Schema.Struct(fieldsOf(serviceKeys))

/**
 * `[service.NAME]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type Service = typeof ServiceTable.Type & typeof service

/**
 * The defaults of `[service.NAME]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const service = standardsOf(serviceKeys)

const groupKeys = {
  services: needed(Schema.NonEmptyArray(Values.serviceName), "Its members, in start order."),
  strategy: key(Values.literal(Strategy), "one-for-one", "Who else is restarted when a member fails."),
  max_restarts: maybe(
    Values.restarts,
    "Rounds of restarts borne within restart_window. Default: settings.max_restarts."
  ),
  restart_window: maybe(seconds(1), "The window that max_restarts counts in. Default: settings.restart_window.")
}

export const GroupTable = Schema.Struct(fieldsOf(groupKeys))

/**
 * `[group.NAME]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type Group = typeof GroupTable.Type & typeof group

/**
 * The defaults of `[group.NAME]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const group = standardsOf(groupKeys)

const routingKeys = {
  default: maybe(Values.serviceName, "The service that answers when nothing else fits."),
  subdomain: maybe(Schema.Record({ key: Values.someText, value: Values.serviceName }), "Services by subdomain."),
  path: maybe(
    Schema.Record({ key: Values.someText, value: Values.serviceName }),
    "Services by the beginning of the path."
  )
}

/**
 * The whole file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const File = Schema.Struct(fieldsOf({
  include: maybe(
    Values.list(Values.someText),
    "More files to read: names, or patterns with * and ?, from this file's folder."
  ),
  settings: maybe(SettingsTable, "What holds for the supervisor, and defaults for services."),
  service: maybe(
    Schema.Record({ key: Values.serviceName, value: ServiceTable }),
    "The services, each in [service.NAME]."
  ),
  group: maybe(
    Schema.Record({ key: Values.groupName, value: GroupTable }),
    "Services whose fates are tied, each group in [group.NAME]."
  ),
  instances: maybe(
    Schema.Record({ key: Values.serviceName, value: Values.list(Values.instanceId) }),
    "Instances to start, by service: the same as the service's own key `instances`."
  ),
  routing: maybe(Schema.Struct(fieldsOf(routingKeys)), "Which service answers which request.")
})).annotations({ title: "tenement.toml" })
/** @since 0.1.0 */
export type File = typeof File.Type
