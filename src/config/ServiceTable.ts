/**
 * `[service.NAME]`
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { IsolationLevel, ReadinessMode, RestartMode } from "../domain/Config.ts"
import { fieldsOf, key, maybe, needed, standardsOf } from "./Keys.ts"
import * as Values from "./Values.ts"

const { milliseconds, seconds } = Values

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
  weight: key(
    Values.int(0, 10_000),
    100,
    "Share of the service's traffic. Kept and shown; there is no gateway yet to obey it."
  )
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

/**
 * Its schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const schema = Schema.Struct(fieldsOf(serviceKeys))

/**
 * `[service.NAME]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceTable = typeof schema.Type & typeof defaults

/**
 * The defaults of `[service.NAME]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const defaults = standardsOf(serviceKeys)
