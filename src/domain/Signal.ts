/**
 * Signals by name, as Linux has them.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Those that can ask a process to stop: all but `SIGSTOP`, which can neither be caught nor ends a process.
 *
 * @since 0.1.0
 * @category models
 */
export const Signal = Schema.Literal(
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGIOT",
  "SIGBUS",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGCHLD",
  "SIGSTKFLT",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGIO",
  "SIGPOLL",
  "SIGPWR",
  "SIGSYS"
)
/** @since 0.1.0 */
export type Signal = typeof Signal.Type
