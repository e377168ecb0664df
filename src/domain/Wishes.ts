/**
 * What is asked of an instance, by a person, the file, its group or a request, and what is done about it.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import type { Policy } from "./InstanceEvent.ts"
import { type InstanceState, isAsleep, isSettled, type Next } from "./InstanceState.ts"
import {
  begin,
  beginAgain,
  callOff,
  drained,
  end,
  endPolitely,
  type Event,
  forgiven,
  move,
  replaceNext,
  type Step,
  step,
  withReset
} from "./Steps.ts"

/**
 * What is done about a wish: to run, not to run, to run anew, or to be given up with its group.
 *
 * @internal
 */
export const decide = (
  policy: Policy,
  state: InstanceState,
  event: Event<"Start" | "Stop" | "Restart" | "GiveUp">
): Step => {
  switch (event._tag) {
    case "Start":
      return onStart(policy, state, event)
    case "Stop":
      return onStop(policy, state, event)
    case "Restart":
      return onRestart(policy, state, event)
    case "GiveUp":
      return onGiveUp(policy, state, event)
  }
}

const onStart = (policy: Policy, state: InstanceState, { cause }: Event<"Start">): Step => {
  if (cause._tag === "GroupRound") return onGroupStart(policy, state, cause)
  if (cause._tag === "Boot") return onBoot(policy, state, cause)
  if (cause._tag === "Request" || cause._tag === "Needed") return onWake(policy, state, cause)
  const wanted: InstanceState = { ...state, wanted: "running" }
  switch (state.phase._tag) {
    case "Waiting":
    case "Launching":
    case "Starting":
    case "Up":
      return step(wanted)
    case "Ending":
      return replaceNext(policy, forgiven(wanted), state.phase, { _tag: "start", cause, automatic: false }, cause)
    default:
      return begin(policy, forgiven(wanted), cause, [{ _tag: "ResetBackoff" }])
  }
}

/** What the file lists is started; what an earlier supervisor has left goes on as it was left. */
const onBoot = (policy: Policy, state: InstanceState, cause: Cause): Step => {
  const { phase } = state
  if (state.wanted === "stopped") return step(state)
  const wanted: InstanceState = { ...state, wanted: "running" }
  if (phase._tag === "Stopped") return begin(policy, wanted, cause, [{ _tag: "ResetBackoff" }])
  // A shutdown, or a round of the group, that was cut short: nobody but it wanted the stop.
  return phase._tag === "Ending" && phase.next._tag === "stop"
    ? replaceNext(policy, forgiven(wanted), phase, { _tag: "start", cause, automatic: false }, cause)
    : step(state)
}

/** Who sleeps wakes. It is a need and no wish: it starts nobody whom a person has stopped, and lifts no failure. */
const onWake = (policy: Policy, state: InstanceState, cause: Cause): Step => {
  const { phase } = state
  if (phase._tag === "Sleeping") return begin(policy, state, cause, [])
  return phase._tag === "Ending" && phase.next._tag === "sleep"
    ? replaceNext(policy, state, phase, { _tag: "start", cause, automatic: false }, cause)
    : step(state)
}

/** A round of the group starts whoever is meant to run and was stopped, or failed, for the round. */
const onGroupStart = (policy: Policy, state: InstanceState, cause: Cause): Step => {
  const { phase } = state
  if (state.wanted !== "running") return step(state)
  // It waits to be started again by its own policy's wish.
  if (phase._tag === "Backoff") return beginAgain(policy, state, cause)
  if (!policy.revivedByGroup) return step(state)
  if (phase._tag === "Ending" && phase.next._tag === "stop") {
    return replaceNext(policy, state, phase, { _tag: "start", cause, automatic: true }, cause)
  }
  return phase._tag === "Stopped" ? beginAgain(policy, state, cause) : step(state)
}

const onStop = (policy: Policy, state: InstanceState, { cause, open }: Event<"Stop">): Step => {
  // A shutdown and a round of the group stop the process, not the wish that it runs.
  const keepsWish = cause._tag === "Shutdown" || cause._tag === "GroupRound"
  const wanted: InstanceState = keepsWish ? state : { ...state, wanted: "stopped" }
  if (keepsWish && isAsleep(state)) return step(state)
  const next: Next = { _tag: "stop", cause }
  switch (state.phase._tag) {
    case "Starting":
    case "Up":
      return endPolitely(policy, wanted, state.phase.run, next, cause, open)
    case "Launching":
      return move(policy, wanted, callOff(next), cause, [{ _tag: "AbortLaunch", incarnation: state.incarnation }])
    case "Ending": {
      const step = replaceNext(policy, wanted, state.phase, next, cause)
      // By then nobody is there any more to be answered.
      return cause._tag === "Shutdown" ? drained(policy, step) : step
    }
    case "Stopped":
      return step(wanted)
    case "Completed":
    case "Failed":
      return keepsWish ? step(state) : move(policy, forgiven(wanted), { _tag: "Stopped" }, cause, [])
    case "Backoff":
      // The one that failed is down already, and waits for the round as it stands.
      return cause._tag === "GroupRound" ? step(state) : move(policy, wanted, { _tag: "Stopped" }, cause, [])
    default:
      return move(policy, wanted, { _tag: "Stopped" }, cause, [])
  }
}

const onRestart = (policy: Policy, state: InstanceState, { cause, open }: Event<"Restart">): Step => {
  // A new file changes how it runs, not whether it does: a stop that was asked for in the meantime holds.
  if (cause._tag === "Reload" && (state.wanted === "stopped" || isSettled(state) || isAsleep(state))) return step(state)
  const wanted: InstanceState = forgiven({ ...state, wanted: "running" })
  const next: Next = { _tag: "start", cause, automatic: false }
  switch (state.phase._tag) {
    case "Starting":
    case "Up":
      return withReset(endPolitely(policy, wanted, state.phase.run, next, cause, open))
    case "Launching":
      return withReset(
        move(policy, wanted, callOff(next), cause, [{ _tag: "AbortLaunch", incarnation: state.incarnation }])
      )
    case "Ending":
      return withReset(replaceNext(policy, wanted, state.phase, next, cause))
    case "Waiting":
      return step(wanted)
    default:
      return begin(policy, wanted, cause, [{ _tag: "ResetBackoff" }])
  }
}

const onGiveUp = (policy: Policy, state: InstanceState, { cause }: Event<"GiveUp">): Step => {
  if (state.wanted !== "running") return step(state)
  const next: Next = { _tag: "fail", cause }
  switch (state.phase._tag) {
    case "Completed":
    case "Failed":
      return step(state)
    case "Starting":
    case "Up":
      return end(policy, state, state.phase.run, next, "stopping", cause)
    case "Launching":
      return move(policy, state, callOff(next), cause, [{ _tag: "AbortLaunch", incarnation: state.incarnation }])
    case "Ending":
      return replaceNext(policy, state, state.phase, next, cause)
    default:
      return move(policy, state, { _tag: "Failed", cause }, cause, [])
  }
}
