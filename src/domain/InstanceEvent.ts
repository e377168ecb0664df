/**
 * What an instance's actor is told, and what it is told to do.
 *
 * Everything that belongs to one run carries its incarnation, so that a late timer, probe or exit notice is recognised
 * and dropped.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import type { ExitStatus, RunEnd } from "./Exit.ts"
import type { Instant } from "./Instant.ts"
import type { Intensity } from "./Intensity.ts"
import type { GroupName, ServiceName } from "./Names.ts"
import type { StateLabel } from "./Views.ts"

/**
 * The timers an instance has; at most one of each runs.
 *
 * @since 0.1.0
 * @category models
 */
export type Timer = "startup" | "stop" | "backoff" | "stable"

/**
 * An event. `at` is when it happened.
 *
 * @since 0.1.0
 * @category models
 */
export type InstanceEvent =
  & { readonly at: Instant }
  & (
    /** To run: asked by a person, the file, or a round of the group. */
    | { readonly _tag: "Start"; readonly cause: Cause }
    /** Not to run. `open`: how many requests it is about to answer. */
    | { readonly _tag: "Stop"; readonly cause: Cause; readonly open?: number }
    /** To run anew. */
    | { readonly _tag: "Restart"; readonly cause: Cause; readonly open?: number }
    /** The group gave up, and its members with it. */
    | { readonly _tag: "GiveUp"; readonly cause: Cause }
    | { readonly _tag: "DependenciesReady"; readonly incarnation: number }
    | { readonly _tag: "Launched"; readonly incarnation: number; readonly pid: number }
    | { readonly _tag: "LaunchFailed"; readonly incarnation: number; readonly code: string; readonly message: string }
    /** A launch was called off before there was a process. */
    | { readonly _tag: "LaunchAborted"; readonly incarnation: number }
    /** A look at an instance that is not ready yet. */
    | { readonly _tag: "NotReadyYet"; readonly incarnation: number; readonly detail: string }
    | { readonly _tag: "Ready"; readonly incarnation: number; readonly by: string }
    | { readonly _tag: "Probed"; readonly incarnation: number; readonly healthy: boolean; readonly detail: string }
    /** Nobody has used it for so long. */
    | { readonly _tag: "Idle"; readonly incarnation: number; readonly afterMs: number }
    /** The main process ended. `stragglers`: something that it forked is alive. */
    | {
      readonly _tag: "Exited"
      readonly incarnation: number
      readonly status: ExitStatus
      readonly oomKilled: boolean
      readonly stragglers: boolean
    }
    /** Nothing of the process tree is alive any more. */
    | { readonly _tag: "TreeGone"; readonly incarnation: number }
    | { readonly _tag: "Elapsed"; readonly incarnation: number; readonly timer: Timer }
    /** A run that is to be stopped has nothing open any more, or had its time; `left` is what was still open then. */
    | { readonly _tag: "Drained"; readonly incarnation: number; readonly left: number }
    /** The backoff schedule's answer; null when it is done. */
    | { readonly _tag: "NextDelay"; readonly incarnation: number; readonly delayMs: number | null }
  )

/**
 * A command for the actor.
 *
 * @since 0.1.0
 * @category models
 */
export type Command =
  | { readonly _tag: "AwaitDependencies"; readonly incarnation: number }
  | { readonly _tag: "StopAwaiting" }
  | { readonly _tag: "Launch"; readonly incarnation: number }
  | { readonly _tag: "AbortLaunch"; readonly incarnation: number }
  | { readonly _tag: "WatchExit"; readonly incarnation: number }
  | { readonly _tag: "AwaitReadiness"; readonly incarnation: number }
  | { readonly _tag: "StopReadiness"; readonly incarnation: number }
  | { readonly _tag: "StartProbes"; readonly incarnation: number }
  | { readonly _tag: "StopProbes"; readonly incarnation: number }
  /** Tell when nobody has used it for the policy's time. */
  | { readonly _tag: "WatchIdle"; readonly incarnation: number }
  | { readonly _tag: "StopWatchingIdle"; readonly incarnation: number }
  | { readonly _tag: "Signal"; readonly incarnation: number; readonly signal: string }
  /** To everything that the main process left behind. */
  | { readonly _tag: "SignalTree"; readonly incarnation: number; readonly signal: string }
  /** Tell when nothing of it is left. */
  | { readonly _tag: "AwaitTree"; readonly incarnation: number }
  | { readonly _tag: "KillTree"; readonly incarnation: number }
  /** The run is over and nothing of it is left: its sockets and descriptors can go. */
  | { readonly _tag: "ReleaseRun"; readonly incarnation: number }
  | { readonly _tag: "ArmTimer"; readonly incarnation: number; readonly timer: Timer; readonly delayMs: number }
  | { readonly _tag: "CancelTimer"; readonly incarnation: number; readonly timer: Timer }
  /** Step the backoff schedule; its answer comes back as an event. */
  | { readonly _tag: "StepBackoff"; readonly incarnation: number }
  | { readonly _tag: "ResetBackoff" }
  /** An automatic restart is being made; `end` is how the run before it ended. */
  | { readonly _tag: "CountRestart"; readonly end: RunEnd | null }
  /** Wait until nothing is open on a run that has been replaced, or `limitMs` are over; then tell. */
  | { readonly _tag: "Drain"; readonly incarnation: number; readonly limitMs: number }
  /** The same for the requests alone that it has to answer. */
  | { readonly _tag: "AwaitAnswers"; readonly incarnation: number; readonly limitMs: number }
  /** The group decides what follows, not before `delayMs` have passed. */
  | { readonly _tag: "TellGroup"; readonly incarnation: number; readonly delayMs: number }
  | { readonly _tag: "Publish"; readonly from: StateLabel; readonly to: StateLabel; readonly cause: Cause }

/**
 * The rules of one instance: the numbers of its configuration and the answers of its `RestartPolicy`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly shouldRestart: (end: RunEnd) => boolean
  readonly revivedByGroup: boolean
  readonly intensity: Intensity
  readonly stableAfterMs: number
  readonly startupTimeoutMs: number
  /** Whether it has to do something to be ready; if not, a run that ends well at once has done its job. */
  readonly awaitsReadiness: boolean
  readonly stopSignal: string
  readonly stopTimeoutMs: number
  /** How many failed probes in a row are too many; null without health checks. */
  readonly health: { readonly retries: number } | null
  /** After so long without use it is put to sleep; 0 is never. */
  readonly idleTimeoutMs: number
  readonly dependsOn: ReadonlyArray<ServiceName>
  readonly group: GroupName | null
  /** Whether a restart starts the next run first. */
  readonly rolling: boolean
  /** How long a run that is to be stopped may take to finish what is open. */
  readonly drainTimeoutMs: number
}
