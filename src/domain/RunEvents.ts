/**
 * What happens to a run of an instance, and what follows from it: the verdicts on health, starts and ends.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import { isSuccess, reasonOf, type RunEnd, unknown as unknownStatus } from "./Exit.ts"
import type { InstanceEvent, Policy } from "./InstanceEvent.ts"
import { type InstanceState, label, type Running } from "./InstanceState.ts"
import { elapsed, plus } from "./Instant.ts"
import * as Intensity from "./Intensity.ts"
import {
  arm,
  askTree,
  beginAgain,
  drained,
  end,
  ended,
  type Event,
  finish,
  type In,
  ladder,
  move,
  released,
  stay,
  type Step,
  step,
  untilStable,
  watches
} from "./Steps.ts"

/**
 * What is done about an event of the run that there is.
 *
 * @internal
 */
export const decide = (
  policy: Policy,
  state: InstanceState,
  event: Exclude<InstanceEvent, { readonly _tag: "Start" | "Stop" | "Restart" | "GiveUp" }>
): Step => {
  const { incarnation, phase } = state
  switch (event._tag) {
    case "DependenciesReady":
      return phase._tag === "Waiting"
        ? move(policy, state, { _tag: "Launching" }, { _tag: "DependenciesReady" }, [{ _tag: "Launch", incarnation }])
        : step(state)
    case "Launched":
      return onLaunched(policy, state, event)
    case "LaunchFailed":
      return onLaunchFailed(policy, state, event)
    case "LaunchAborted":
      return phase._tag === "Ending" && phase.run === null ? finish(policy, state, phase, event.at) : step(state)
    case "NotReadyYet":
      return phase._tag === "Starting"
        ? step({ ...state, phase: { ...phase, detail: event.detail } })
        : step(state)
    case "Ready":
      return phase._tag === "Starting" ? onReady(policy, state, phase, event) : step(state)
    case "Probed":
      return phase._tag === "Up" && policy.health !== null
        ? onProbed(policy, state, phase, policy.health.retries, event)
        : step(state)
    case "Idle":
      return phase._tag === "Up" && policy.idleTimeoutMs > 0 ? onIdle(policy, state, phase, event) : step(state)
    case "Exited":
      return onExited(policy, state, event)
    case "TreeGone":
      return phase._tag === "Ending" && phase.end !== null ? finish(policy, state, phase, event.at) : step(state)
    case "Elapsed":
      return onElapsed(policy, state, event)
    case "Drained":
      // Of a run that was replaced, `Rollout` hears it.
      return onDrained(policy, state, event)
    case "NextDelay":
      return phase._tag === "Backoff" && phase.until === null ? onNextDelay(policy, state, event) : step(state)
  }
}

const onLaunched = (policy: Policy, state: InstanceState, { at, pid }: Event<"Launched">): Step => {
  const { incarnation, phase } = state
  const run: Running = { pid, since: at }
  if (phase._tag === "Launching") {
    return step({ ...state, phase: { _tag: "Starting", run, detail: "" } }, [
      { _tag: "WatchExit", incarnation },
      arm("startup", incarnation, policy.startupTimeoutMs),
      { _tag: "AwaitReadiness", incarnation }
    ])
  }
  // Called off too late: there is a process now, and it goes down the ladder like any other.
  return phase._tag === "Ending" && phase.run === null
    ? step({ ...state, phase: { ...phase, run } }, [{ _tag: "WatchExit", incarnation }, ...ladder(policy, incarnation)])
    : step(state)
}

const onLaunchFailed = (policy: Policy, state: InstanceState, event: Event<"LaunchFailed">): Step => {
  const { phase } = state
  const cause: Cause = { _tag: "LaunchFailed", code: event.code, message: event.message }
  switch (phase._tag) {
    case "Ending":
      return phase.run === null ? finish(policy, state, phase, event.at) : step(state)
    case "Launching":
      return ended(policy, state, { status: unknownStatus, reason: "launch-failed", forced: false }, event.at, cause)
    case "Starting":
      // It runs, and its socket cannot be published.
      return end(policy, state, phase.run, { _tag: "retry", reason: "launch-failed", cause }, "stopping", cause)
    default:
      return step(state)
  }
}

const onReady = (policy: Policy, state: InstanceState, phase: In<"Starting">, event: Event<"Ready">): Step =>
  move(
    policy,
    state,
    { _tag: "Up", run: phase.run, failures: 0 },
    { _tag: "Ready", by: event.by, afterMs: elapsed(phase.run.since, event.at) },
    [...watches(policy, state.incarnation), ...untilStable(policy, state)]
  )

const onDrained = (policy: Policy, state: InstanceState, { left }: Event<"Drained">): Step => {
  const { incarnation, phase } = state
  if (phase._tag !== "Ending" || phase.means !== "drain") return step(state)
  const shown = label(phase, policy.health)
  const cause: Cause = { _tag: "Drained", incarnation, left }
  return drained(policy, step(state, [{ _tag: "Publish", from: shown, to: shown, cause }]))
}

const onIdle = (policy: Policy, state: InstanceState, phase: In<"Up">, { afterMs }: Event<"Idle">): Step => {
  const cause: Cause = { _tag: "Idle", afterMs }
  return end(policy, state, phase.run, { _tag: "sleep", cause }, "stopping", cause)
}

const onProbed = (
  policy: Policy,
  state: InstanceState,
  phase: In<"Up">,
  limit: number,
  { detail, healthy }: Event<"Probed">
): Step => {
  if (healthy) {
    return phase.failures === 0
      ? step(state)
      : stay(
        policy,
        state,
        { ...phase, failures: 0 },
        { _tag: "ProbePassed", detail },
        untilStable(policy, state)
      )
  }
  const failures = phase.failures + 1
  const cause: Cause = { _tag: "ProbeFailed", detail, inARow: failures, limit }
  const verdict: RunEnd = { status: unknownStatus, reason: "unhealthy", forced: false }
  return failures >= limit && policy.shouldRestart(verdict)
    ? end(policy, state, phase.run, { _tag: "retry", reason: "unhealthy", cause }, "unhealthy", cause)
    : stay(policy, state, { ...phase, failures }, cause, [{
      _tag: "CancelTimer",
      incarnation: state.incarnation,
      timer: "stable"
    }])
}

const onExited = (policy: Policy, state: InstanceState, event: Event<"Exited">): Step => {
  const { incarnation, phase } = state
  switch (phase._tag) {
    case "Ending": {
      if (phase.end !== null) return step(state)
      const known: In<"Ending"> = { ...phase, end: event.status }
      if (!event.stragglers) return finish(policy, state, known, event.at)
      if (phase.means === "drain") {
        const asked = drained(policy, step({ ...state, phase: known }))
        return policy.stopTimeoutMs === 0 ? asked : step(asked.state, [
          arm("stop", incarnation, policy.stopTimeoutMs),
          ...askTree(policy, incarnation)
        ])
      }
      return step(
        { ...state, phase: known },
        phase.means === "signal" ? askTree(policy, incarnation) : [{ _tag: "KillTree", incarnation }]
      )
    }
    case "Starting":
    case "Up": {
      const runEnd = endOf(policy, phase, event)
      const cause: Cause = { _tag: "Exited", ...runEnd }
      if (!event.stragglers) return released(ended(policy, state, runEnd, event.at, cause), incarnation)
      const sweeping: In<"Ending"> = {
        _tag: "Ending",
        run: phase.run,
        end: event.status,
        means: "sweep",
        shown: "stopping",
        next: { _tag: "retry", reason: runEnd.reason, cause }
      }
      return move(policy, state, sweeping, cause, [{ _tag: "KillTree", incarnation }])
    }
    default:
      return step(state)
  }
}

/** How a run ended that nobody told to. */
const endOf = (policy: Policy, phase: In<"Starting" | "Up">, event: Event<"Exited">): RunEnd => {
  const runEnd: RunEnd = { status: event.status, reason: reasonOf(event.status, event.oomKilled), forced: false }
  const isEarly = phase._tag === "Starting" && policy.awaitsReadiness && isSuccess(runEnd)
  return isEarly ? { ...runEnd, reason: "exited-early" } : runEnd
}

const onElapsed = (policy: Policy, state: InstanceState, { at, timer }: Event<"Elapsed">): Step => {
  const { incarnation, phase } = state
  if (timer === "startup" && phase._tag === "Starting") {
    const afterMs = elapsed(phase.run.since, at)
    const cause: Cause = { _tag: "StartupTimeout", afterMs, detail: phase.detail }
    return end(policy, state, phase.run, { _tag: "retry", reason: "startup-timeout", cause }, "stopping", cause)
  }
  if (timer === "stop" && phase._tag === "Ending" && phase.means === "signal") {
    return step({ ...state, phase: { ...phase, means: "kill" } }, [{ _tag: "KillTree", incarnation }])
  }
  if (timer === "stable" && phase._tag === "Up" && phase.failures === 0) {
    return step({ ...state, attempt: 0 }, [{ _tag: "ResetBackoff" }])
  }
  // A group that it has come into meanwhile waits for more than its delay.
  if (timer === "backoff" && phase._tag === "Backoff" && phase.until !== null && policy.group === null) {
    const counted = { ...state, history: Intensity.record(policy.intensity, state.history, at.mono) }
    return beginAgain(policy, counted, {
      _tag: "BackoffElapsed",
      attempt: state.attempt,
      afterMs: phase.delayMs
    })
  }
  return step(state)
}

const onNextDelay = (policy: Policy, state: InstanceState, { at, delayMs }: Event<"NextDelay">): Step => {
  const { incarnation } = state
  if (delayMs === null) {
    const cause: Cause = { _tag: "BackoffExhausted", restarts: state.restarts }
    return move(policy, state, { _tag: "Failed", cause }, cause, [])
  }
  const until = plus(at, delayMs)
  const waiting = { ...state, phase: { _tag: "Backoff", until, delayMs } as const }
  // In a group the group's own intensity counts, and it also says when the delay is over.
  if (policy.group !== null) return step(waiting, [{ _tag: "TellGroup", incarnation, delayMs }])
  if (Intensity.allows(policy.intensity, state.history, until.mono)) {
    return step(waiting, [arm("backoff", incarnation, delayMs)])
  }
  const { max, windowMs } = policy.intensity
  const cause: Cause = { _tag: "IntensityExceeded", restarts: max, windowMs }
  return move(policy, state, { _tag: "Failed", cause }, cause, [])
}
