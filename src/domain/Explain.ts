/**
 * Causes and states in words a person would use.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import { describeStatus, type ExitReason, type ExitStatus } from "./Exit.ts"

/**
 * Milliseconds as a person reads them: `20 ms`, `1.5 s`, `4 min`, `2 h`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const duration = (ms: number): string => {
  const round = (value: number) => String(Math.round(value * 10) / 10)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${round(ms / 1000)} s`
  if (ms < 7_200_000) return `${round(ms / 60_000)} min`
  return `${round(ms / 3_600_000)} h`
}

/**
 * A number of things: `1 service`, `3 services`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`

/**
 * How a run ended, as the end of a sentence that begins with the instance: `exited with code 3`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const describeEnd = (end: {
  readonly status: ExitStatus
  readonly reason: ExitReason
  readonly forced: boolean
}): string => {
  const how = describeStatus(end.status)
  switch (end.reason) {
    case "exited":
      return `exited with code ${end.status.code}`
    case "exited-early":
      return `exited with code ${end.status.code} before it was ready`
    case "signaled":
      return `was ended by ${how}, which tenement did not send`
    case "oom-killed":
      return "was killed by the kernel for memory: it used more than its memory_limit_mb, or the machine had no more"
    case "unhealthy":
      return `was ended for failing its health check (${how})`
    case "startup-timeout":
      return `was ended for not being ready in time (${how})`
    case "launch-failed":
      return "could not be started"
    case "stopped":
      return end.forced ? `did not stop in time and was killed (${how})` : `was stopped (${how})`
    case "unknown":
      return "ended while nobody watched, so its status is not known"
  }
}

/**
 * One cause, as a clause.
 *
 * @since 0.1.0
 * @category combinators
 */
export const describeCause = (cause: Cause): string => {
  switch (cause._tag) {
    case "Boot":
      return "the supervisor started it because the file lists it"
    case "Person":
      return `a person asked for it (${cause.verb})`
    case "Reload":
      return cause.keys.length === 0 ? "the file changed" : `the file changed (${cause.keys.join(", ")})`
    case "Shutdown":
      return "the supervisor is shutting down"
    case "WaitingFor":
      return `it waits for ${cause.services.join(", ")}`
    case "DependenciesReady":
      return "everything it depends on is ready"
    case "Ready":
      return `it became ready after ${duration(cause.afterMs)} (${cause.by})`
    case "ProbeFailed":
      return `health check failed ${cause.inARow} of ${cause.limit} times in a row: ${cause.detail}`
    case "ProbePassed":
      return `health check passed again: ${cause.detail}`
    case "Idle":
      return `nobody used it for ${duration(cause.afterMs)} (idle_timeout)`
    case "Request":
      return "a request came for it"
    case "Needed":
      return `${cause.by} depends on it`
    case "Exited":
      return `it ${describeEnd(cause)}`
    case "LaunchFailed":
      return cause.message
    case "StartupTimeout":
      return `it was not ready within ${duration(cause.afterMs)}${cause.detail === "" ? "" : `: ${cause.detail}`}`
    case "Replaced":
      return `the next run was ready after ${duration(cause.afterMs)} and took the place of run ${cause.incarnation}`
    case "NotReplaced":
      return `the run that was to take its place did not get ready, and was given up: ${cause.problem}`
    case "Drained":
      return cause.left === 0
        ? `nothing was open on run ${cause.incarnation} any more, and it was stopped`
        : `run ${cause.incarnation} was stopped with ${cause.left} still open: drain_timeout was over`
    case "BackoffElapsed":
      return `the delay of ${duration(cause.afterMs)} before restart ${cause.attempt + 1} in a row was over`
    case "IntensityExceeded":
      return cause.restarts === 0
        ? "max_restarts is 0, so the first failure is final"
        : `one more restart would be more than ${cause.restarts} within ${duration(cause.windowMs)} (max_restarts)`
    case "BackoffExhausted":
      return `its backoff schedule came to an end after ${cause.restarts} restarts`
    case "GroupRound":
      return `${cause.failed} failed, and group ${cause.group} is restarted together`
    case "GroupGaveUp":
      return `group ${cause.group} needed more than ${cause.rounds} rounds within ${
        duration(cause.windowMs)
      } and gave up`
  }
}
