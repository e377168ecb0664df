/**
 * `[service.NAME]`
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Allowed from "../domain/Allowed.ts"
import * as Rules from "../domain/ConfigRules.ts"
import { fieldsOf, key, maybe, needed, standardsOf } from "./Keys.ts"
import * as Values from "./Values.ts"

const { milliseconds, seconds } = Values
const { least, service } = Rules

const accountKeys = {
  user: maybe(
    Values.account,
    "Run as this user, a name of /etc/passwd or a number: directory services are not asked. Default: the supervisor's."
  ),
  group: maybe(Values.account, "Run as this group, a name of /etc/group or a number. Default: the user's.")
}

const endpointKeys = {
  socket: maybe(
    Values.someText,
    "The public path of its Unix socket, a template. Without {id} in it, any instance but \"default\" gets -ID before the " +
      "extension. Default: {run_dir}/{name}-{id}.sock."
  ),
  socket_mode: key(Values.mode, "0666", "Permission bits of the socket."),
  port: maybe(
    Rules.port,
    "A TCP port, passed as PORT; \"auto\" takes one that is free on loopback. Default: none."
  ),
  socket_activation: key(
    Values.flag,
    false,
    "The supervisor listens, and the program gets the socket as its descriptor 3, as LISTEN_FDS tells (sd_listen_fds(3))."
  )
}

const healthKeys = {
  health: maybe(
    Rules.health,
    "A path to GET; an answer of 2xx or 3xx is healthy. Default: no health checks."
  ),
  health_interval: maybe(
    seconds(least.healthInterval),
    "Time between two health checks. Default: settings.health_check_interval."
  ),
  health_timeout: key(seconds(least.healthTimeout), 5, "A check without an answer in this time has failed."),
  health_retries: key(service.healthRetries, 3, "So many failed checks in a row are unhealthy, and restart it."),
  readiness: maybe(
    service.readiness,
    "What tells that it can be used. Default: health if that is set, else socket if that is set, else started."
  ),
  startup_timeout: key(seconds(least.startupTimeout), 30, "Not ready in this time is a failed start.")
}

const restartKeys = {
  restart: key(
    service.restart,
    "on-failure",
    "When a run that ended is followed by another. A failure is a non-zero exit, a signal, running out of memory, " +
      "failing health, or a failed start."
  ),
  max_restarts: maybe(
    Values.restarts,
    "So many automatic restarts are allowed within restart_window. Default: settings.max_restarts."
  ),
  restart_window: maybe(
    seconds(least.restartWindow),
    "The window that max_restarts counts in. Default: settings.restart_window."
  ),
  backoff_base_ms: maybe(
    milliseconds(least.backoffBase),
    "The first restart's delay. Default: settings.backoff_base_ms."
  ),
  backoff_max_ms: maybe(
    milliseconds(least.backoffMax),
    "The longest delay of a restart. Default: settings.backoff_max_ms."
  ),
  backoff_jitter: key(service.backoffJitter, 0.1, "A random share of the delay, more or less."),
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
    service.isolation,
    "namespace",
    "How far it is kept from the host and from its neighbours."
  ),
  network: maybe(Allowed.oneOf("host", "none"), "Its network. Default: host; none in a sandbox."),
  private_tmp: maybe(Values.flag, "Whether /tmp is its own. Default: false; true in a sandbox."),
  capabilities: key(
    Values.list(Rules.capability),
    [],
    "Capabilities that it holds."
  ),
  sandbox_runtime: key(Allowed.oneOf("gvisor", "bubblewrap"), "gvisor", "What makes the sandbox.")
}

const limitKeys = {
  memory_limit_mb: maybe(
    Allowed.number(1, 100_000_000),
    "Memory it may use, in MiB; more gets it killed. Default: no limit."
  ),
  cpu_shares: maybe(
    Rules.cpuShares,
    "Weight when the processors are busy; 100 is the usual. Default: the usual."
  ),
  cpu_limit: maybe(Rules.cpuLimit, "Processors it may use, such as 0.5. Default: no limit."),
  pids_limit: maybe(Rules.pidsLimit, "Processes and threads it may have. Default: no limit.")
}

const trafficKeys = {
  idle_timeout: key(seconds(), 0, "Stopped after so long without a request, and woken by the next; 0 is never."),
  restart_mode: key(
    service.restartMode,
    "sequential",
    "Whether a restart stops the old run first, or starts the next one first and drops no request: rolling."
  ),
  drain_timeout: key(
    seconds(),
    30,
    "How long a run that is stopped, restarted or replaced may take to finish what is open on it."
  ),
  weight: key(
    service.weight,
    100,
    "Share of the service's traffic that each instance gets, in proportion to the others; 0 is none."
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
