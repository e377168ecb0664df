/**
 * `[settings]`
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Allowed from "../domain/Allowed.ts"
import * as Rules from "../domain/ConfigRules.ts"
import { fieldsOf, key, maybe, standardsOf } from "./Keys.ts"
import * as Values from "./Values.ts"

const { milliseconds, seconds } = Values
const { least } = Rules

const settingsKeys = {
  data_dir: maybe(
    Values.someText,
    "State, logs, and a folder for each instance: {data_dir}/{service}/{id}. " +
      "Default: /var/lib/tenement for root, $XDG_STATE_HOME/tenement for others."
  ),
  socket: maybe(
    Values.someText,
    "The control socket, mode 0600. " +
      "Default: /run/tenement/tenement.sock for root, $XDG_RUNTIME_DIR/tenement.sock for others, " +
      "or tenement.sock in their data_dir where there is no XDG_RUNTIME_DIR."
  ),
  run_dir: maybe(
    Values.someText,
    "The folder of public sockets, {run_dir} in templates. Default: a folder beside the control socket."
  ),
  listen: key(
    Values.listen,
    "127.0.0.1:8000",
    "Where metrics, the API and the gateway are served; \"off\" for nowhere."
  ),
  domain: key(
    Rules.settings.domain,
    "localhost",
    "A name of this machine, as localhost is. The gateway serves {service}.{domain} and {id}.{service}.{domain}."
  ),
  syslog: key(
    Values.syslog,
    "off",
    "Where nginx tells of the requests that it served from the sockets, so that they are counted: an address of loopback, " +
      "\"127.0.0.1:5514\", or \"off\". `tenement nginx` prints the file that tells them."
  ),
  health_check_interval: key(
    seconds(least.healthInterval),
    10,
    "Time between two health checks of an instance, unless its service says otherwise."
  ),
  max_restarts: key(
    Values.restarts,
    3,
    "So many automatic restarts of an instance are allowed within restart_window, unless its service says otherwise. " +
      "With 0 the first crash is final, \"unlimited\" never gives up."
  ),
  restart_window: key(seconds(least.restartWindow), 300, "The window that max_restarts counts in."),
  start_concurrency: maybe(
    Rules.settings.startConcurrency,
    "Starts under way at once; a start is counted for one second at most. Default: two for each processor."
  ),
  backoff_base_ms: key(
    milliseconds(least.backoffBase),
    1000,
    "The first restart's delay; each further one in a row doubles it."
  ),
  backoff_max_ms: key(milliseconds(least.backoffMax), 60_000, "The longest delay of a restart."),
  cgroup_root: maybe(
    Rules.cgroup,
    "The cgroup under which instances get theirs, made if there is none. Default: the one that the supervisor is in."
  ),
  log_max_mb: key(Allowed.number(0.001, 1_000_000), 10, "An instance's log is rotated at this size, in MiB."),
  log_keep: key(Rules.settings.logKeep, 5, "Rotated logs that are kept for each instance.")
}

/**
 * Its schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const schema = Schema.Struct(fieldsOf(settingsKeys))

/**
 * `[settings]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type SettingsTable = typeof schema.Type & typeof defaults

/**
 * The defaults of `[settings]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const defaults = standardsOf(settingsKeys)
