/**
 * The state of one instance: what the actor keeps, and nothing that it could derive.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import type { ExitReason, ExitStatus, RunEnd } from "./Exit.ts"
import type { Instant } from "./Instant.ts"
import * as Intensity from "./Intensity.ts"
import type { ServiceName } from "./Names.ts"
import type { LastExit, StateLabel } from "./Views.ts"

/**
 * A process that runs for an instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface Running {
  readonly pid: number
  readonly since: Instant
}

/**
 * What follows when a process tree that is being ended is gone.
 *
 * - `stop`: nothing; somebody asked for the stop
 * - `start`: the next run, at once; somebody asked for a restart
 * - `retry`: what the restart policy says of a run that ended like this
 * - `fail`: nothing; it is given up, for this cause
 * - `sleep`: nothing, until somebody needs it
 *
 * @since 0.1.0
 * @category models
 */
export type Next =
  | { readonly _tag: "stop"; readonly cause: Cause }
  | { readonly _tag: "start"; readonly cause: Cause; readonly automatic: boolean }
  | { readonly _tag: "retry"; readonly reason: ExitReason; readonly cause: Cause }
  | { readonly _tag: "fail"; readonly cause: Cause }
  | { readonly _tag: "sleep"; readonly cause: Cause }

/**
 * How a process tree is brought to its end.
 *
 * - `drain`: it gets no requests any more, and has until `drain_timeout` to answer those that it has
 * - `signal`: it was asked to, and has until `stop_timeout`
 * - `kill`: it had its time, or was given none
 * - `sweep`: the main process went by itself, and what it left behind is killed at once
 *
 * @since 0.1.0
 * @category models
 */
export type Means = "drain" | "signal" | "kill" | "sweep"

/**
 * Where an instance is in its life.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase =
  | { readonly _tag: "Stopped" }
  /** Wants to start; services it depends on are not ready. */
  | { readonly _tag: "Waiting"; readonly services: ReadonlyArray<ServiceName> }
  /** Waits for a start slot or is being spawned; there may be a process that nobody knows yet. */
  | { readonly _tag: "Launching" }
  /** Runs, and is not ready. `detail` is what the last look at it saw. */
  | { readonly _tag: "Starting"; readonly run: Running; readonly detail: string }
  /** Ready. `failures` counts failed probes in a row. */
  | { readonly _tag: "Up"; readonly run: Running; readonly failures: number }
  /**
   * Being ended. `run` is null while a launch is being called off. `end` is set once the main process is gone. `shown`
   * is how the outside sees it meanwhile.
   */
  | {
    readonly _tag: "Ending"
    readonly run: Running | null
    readonly end: ExitStatus | null
    readonly means: Means
    readonly shown: "stopping" | "unhealthy"
    readonly next: Next
  }
  /** Will be started again; `until` is null until the backoff schedule has said when. */
  | { readonly _tag: "Backoff"; readonly until: Instant | null; readonly delayMs: number }
  /** Nobody used it: nothing runs until somebody needs it. */
  | { readonly _tag: "Sleeping" }
  | { readonly _tag: "Completed" }
  | { readonly _tag: "Failed"; readonly cause: Cause }

/**
 * The whole state.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceState {
  readonly phase: Phase
  /** What a person, or the file, wants of it; `unasked` until somebody says so for the first time. */
  readonly wanted: "running" | "stopped" | "unasked"
  /** The run that is under way or was the last, counted from 1. Every timer, probe and exit carries it. */
  readonly incarnation: number
  /** The highest number that a run was given; above `incarnation` after a replacement that was given up. */
  readonly newest: number
  /** Automatic restarts in a row since it was last stable: the n of the backoff. */
  readonly attempt: number
  /** Automatic restarts ever. */
  readonly restarts: number
  /** Automatic restarts that count against the intensity. */
  readonly history: Intensity.History
  readonly lastEnd: (RunEnd & { readonly at: Instant }) | null
}

/**
 * An instance that was never started.
 *
 * @since 0.1.0
 * @category constructors
 */
export const initial: InstanceState = {
  phase: { _tag: "Stopped" },
  wanted: "unasked",
  incarnation: 0,
  newest: 0,
  attempt: 0,
  restarts: 0,
  history: Intensity.empty,
  lastEnd: null
}

/**
 * The process that is alive, as far as the state knows.
 *
 * @since 0.1.0
 * @category combinators
 */
export const running = (state: InstanceState): Running | null => {
  switch (state.phase._tag) {
    case "Starting":
    case "Up":
      return state.phase.run
    case "Ending":
      return state.phase.end === null ? state.phase.run : null
    default:
      return null
  }
}

/**
 * Whether others may depend on it: it is ready, or has done its job.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isReady = (state: InstanceState): boolean => state.phase._tag === "Up" || state.phase._tag === "Completed"

/**
 * Whether nothing will change before somebody asks for something.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isSettled = (state: InstanceState): boolean =>
  state.phase._tag === "Stopped" || state.phase._tag === "Sleeping" || state.phase._tag === "Completed" ||
  state.phase._tag === "Failed"

/**
 * Whether it sleeps, or is about to.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isAsleep = ({ phase }: InstanceState): boolean =>
  phase._tag === "Sleeping" || (phase._tag === "Ending" && phase.next._tag === "sleep")

/**
 * Whether it will serve before long without a failure in between, if somebody needs it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const comes = (state: InstanceState): boolean => {
  const { phase } = state
  switch (phase._tag) {
    case "Waiting":
    case "Launching":
    case "Starting":
      return true
    case "Ending":
      return phase.next._tag === "start" || isAsleep(state)
    default:
      return isAsleep(state)
  }
}

/**
 * How the outside sees a phase. `health` is the number of failed probes that make an instance unhealthy, `null`
 * without health checks.
 *
 * @since 0.1.0
 * @category combinators
 */
export const label = (phase: Phase, health: { readonly retries: number } | null): StateLabel => {
  switch (phase._tag) {
    case "Stopped":
      return "stopped"
    case "Waiting":
    case "Launching":
    case "Starting":
      return "starting"
    case "Up":
      return health === null
        ? "running"
        : phase.failures === 0
        ? "healthy"
        : phase.failures < health.retries
        ? "degraded"
        : "unhealthy"
    case "Ending":
      return phase.shown
    case "Backoff":
      return "backoff"
    case "Sleeping":
      return "sleeping"
    case "Completed":
      return "completed"
    case "Failed":
      return "failed"
  }
}

/**
 * The last end as it is shown.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lastExit = (state: InstanceState): LastExit | null =>
  state.lastEnd === null ? null : {
    code: state.lastEnd.status.code,
    signal: state.lastEnd.status.signal,
    reason: state.lastEnd.reason,
    at: new Date(state.lastEnd.at.wall).toISOString()
  }
