/**
 * `[settings]`
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { fieldsOf, key, maybe, standardsOf } from "./Keys.ts"
import * as Values from "./Values.ts"

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
  listen: key(Values.listen, "127.0.0.1:8000", "Where metrics and the API are served; \"off\" for nowhere."),
  domain: key(
    Values.text("a domain (\"example.com\")", /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/),
    "localhost",
    "A name of this machine: requests to listen may come under it, beside localhost."
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
  start_concurrency: maybe(
    Values.int(1, 10_000),
    "Starts under way at once; a start is counted for one second at most. Default: two for each processor."
  ),
  backoff_base_ms: key(milliseconds(1), 1000, "The first restart's delay; each further one in a row doubles it."),
  backoff_max_ms: key(milliseconds(1), 60_000, "The longest delay of a restart."),
  cgroup_root: maybe(
    Values.someText,
    "The cgroup under which instances get theirs. Default: the one that the supervisor is in."
  ),
  log_max_mb: key(Values.number(0.001, 1_000_000), 10, "An instance's log is rotated at this size, in MiB."),
  log_keep: key(Values.int(0, 10_000), 5, "Rotated logs that are kept for each instance.")
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
