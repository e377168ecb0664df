/**
 * How a run of an instance came to its end.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * What the kernel said of a process that ended: an exit code or the signal that ended it. Both are `null` when
 * nobody saw the status (the supervisor was not there), which is a failure and never a success.
 *
 * @since 0.1.0
 * @category models
 */
export const ExitStatus = Schema.Struct({
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String)
}).annotations({ identifier: "ExitStatus" })
/** @since 0.1.0 */
export type ExitStatus = typeof ExitStatus.Type

/**
 * The status that nobody saw.
 *
 * @since 0.1.0
 * @category constants
 */
export const unknown: ExitStatus = { code: null, signal: null }

/**
 * Why a run ended, in one word: what `lastExit.reason` and the `reason` label of the restart counter say.
 *
 * - `exited`: by itself, with a code
 * - `exited-early`: by itself, with code 0, before it was ready: a start that failed
 * - `signaled`: by a signal that tenement did not send
 * - `oom-killed`: by the kernel, for memory
 * - `unhealthy`: by tenement, after too many failed probes
 * - `startup-timeout`: by tenement, not ready in time
 * - `launch-failed`: it never ran
 * - `stopped`: by tenement, because a person, a group, a reload or the shutdown asked for it
 * - `unknown`: nobody saw it end
 *
 * @since 0.1.0
 * @category models
 */
export const ExitReason = Schema.Literal(
  "exited",
  "exited-early",
  "signaled",
  "oom-killed",
  "unhealthy",
  "startup-timeout",
  "launch-failed",
  "stopped",
  "unknown"
).annotations({ identifier: "ExitReason" })
/** @since 0.1.0 */
export type ExitReason = typeof ExitReason.Type

/**
 * The end of a run: status and reason. `forced` says that the stop signal was not enough.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunEnd {
  readonly status: ExitStatus
  readonly reason: ExitReason
  readonly forced: boolean
}

/**
 * The reason an exit has by itself, before anyone's intent is considered.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reasonOf = (status: ExitStatus, oomKilled = false): ExitReason =>
  oomKilled ? "oom-killed" : status.signal !== null ? "signaled" : status.code !== null ? "exited" : "unknown"

/**
 * Whether a run ended well: code 0 of its own accord. Everything else is a failure, an unknown status included.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isSuccess = (end: RunEnd): boolean => end.reason === "exited" && end.status.code === 0

/**
 * "exit code 3", "signal SIGKILL", "an exit that nobody saw".
 *
 * @since 0.1.0
 * @category combinators
 */
export const describeStatus = (status: ExitStatus): string =>
  status.signal !== null
    ? `signal ${status.signal}`
    : status.code !== null
    ? `exit code ${status.code}`
    : "an exit that nobody saw"
