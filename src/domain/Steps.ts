/**
 * The steps that decisions are made of: from phase to phase, down the stop ladder, into the backoff.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import { isSuccess, type RunEnd, unknown as unknownStatus } from "./Exit.ts"
import type { Command, InstanceEvent, Policy, Timer } from "./InstanceEvent.ts"
import { type InstanceState, label, type Next, type Phase, type Running } from "./InstanceState.ts"
import type { Instant } from "./Instant.ts"
import * as Intensity from "./Intensity.ts"

/**
 * The next state and what to do about it, in order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly state: InstanceState
  readonly commands: ReadonlyArray<Command>
}

/** @internal */
export type Event<Tag extends InstanceEvent["_tag"]> = Extract<InstanceEvent, { readonly _tag: Tag }>
/** @internal */
export type In<Tag extends Phase["_tag"]> = Extract<Phase, { readonly _tag: Tag }>

export const step = (state: InstanceState, commands: ReadonlyArray<Command> = []): Step => ({ state, commands })

/** A later request replaces what was to follow an end that is under way: no second signal, the last wish wins. */
export const replaceNext = (
  policy: Policy,
  state: InstanceState,
  phase: In<"Ending">,
  next: Next,
  cause: Cause
): Step => stay(policy, state, { ...phase, shown: "stopping", next }, cause, [])

export const callOff = (next: Next): Phase => ({
  _tag: "Ending",
  run: null,
  end: null,
  means: "signal",
  shown: "stopping",
  next
})

/** What a person asks for lifts a failure and begins the backoff anew. */
export const forgiven = (state: InstanceState): InstanceState => ({
  ...state,
  attempt: 0,
  history: state.phase._tag === "Failed" ? Intensity.empty : state.history
})

export const withReset = ({ commands, state }: Step): Step => step(state, [...commands, { _tag: "ResetBackoff" }])

export const arm = (timer: Timer, incarnation: number, delayMs: number): Command => ({
  _tag: "ArmTimer",
  incarnation,
  timer,
  delayMs: Math.max(0, delayMs)
})

/** What is watched of a run that is ready. */
export const watches = (policy: Policy, incarnation: number): ReadonlyArray<Command> => [
  ...(policy.health === null ? [] : [{ _tag: "StartProbes", incarnation } as const]),
  ...(policy.idleTimeoutMs === 0 ? [] : [{ _tag: "WatchIdle", incarnation } as const])
]

/** Only a backoff that has begun can begin anew; an instance that never failed needs no timer. */
export const untilStable = (policy: Policy, { attempt, incarnation }: InstanceState): ReadonlyArray<Command> =>
  attempt === 0 ? [] : [arm("stable", incarnation, policy.stableAfterMs)]

const awaitAnswers = ({ drainTimeoutMs }: Policy, incarnation: number): Command => ({
  _tag: "AwaitAnswers",
  incarnation,
  limitMs: drainTimeoutMs
})

export const drain = ({ drainTimeoutMs }: Policy, incarnation: number): Command => ({
  _tag: "Drain",
  incarnation,
  limitMs: drainTimeoutMs
})

/** Stop signal, SIGCONT in case it is stopped, then a deadline; with no time to wait, the kill at once. */
export const ladder = (policy: Policy, incarnation: number): ReadonlyArray<Command> =>
  policy.stopTimeoutMs === 0
    ? [{ _tag: "KillTree", incarnation }]
    : [
      { _tag: "Signal", incarnation, signal: policy.stopSignal },
      { _tag: "Signal", incarnation, signal: "SIGCONT" },
      arm("stop", incarnation, policy.stopTimeoutMs)
    ]

/** A main process that did not pass on the signal, as a shell does not: the others are asked, and have the same deadline. */
export const askTree = (policy: Policy, incarnation: number): ReadonlyArray<Command> => [
  { _tag: "SignalTree", incarnation, signal: policy.stopSignal },
  { _tag: "SignalTree", incarnation, signal: "SIGCONT" },
  { _tag: "AwaitTree", incarnation }
]

/** What has to be given up with a phase, whatever comes next. */
const leave = ({ incarnation, phase }: InstanceState): ReadonlyArray<Command> => {
  const cancel = (timer: Timer): Command => ({ _tag: "CancelTimer", incarnation, timer })
  switch (phase._tag) {
    case "Waiting":
      return [{ _tag: "StopAwaiting" }]
    case "Starting":
      return [cancel("startup"), { _tag: "StopReadiness", incarnation }]
    case "Up":
      return [cancel("stable"), { _tag: "StopProbes", incarnation }, { _tag: "StopWatchingIdle", incarnation }]
    case "Ending":
      return [cancel("stop")]
    case "Backoff":
      return [cancel("backoff")]
    default:
      return []
  }
}

/** To another phase. */
export const move = (
  policy: Policy,
  state: InstanceState,
  phase: Phase,
  cause: Cause,
  commands: ReadonlyArray<Command>
): Step => {
  const { state: next, commands: published } = stay(policy, state, phase, cause, [])
  return step(next, [...leave(state), ...published, ...commands])
}

/** To another shade of the same phase. */
export const stay = (
  policy: Policy,
  state: InstanceState,
  phase: Phase,
  cause: Cause,
  commands: ReadonlyArray<Command>
): Step => {
  const from = label(state.phase, policy.health)
  const to = label(phase, policy.health)
  // Waiting for others is `starting` all along, and still worth telling.
  const told = from !== to || cause._tag === "DependenciesReady"
  return step({ ...state, phase }, told ? [{ _tag: "Publish", from, to, cause }, ...commands] : commands)
}

/** The next run. */
export const begin = (policy: Policy, state: InstanceState, cause: Cause, commands: ReadonlyArray<Command>): Step => {
  const incarnation = Math.max(state.newest, state.incarnation) + 1
  const next = { ...state, incarnation, newest: incarnation }
  return policy.dependsOn.length === 0
    ? move(policy, next, { _tag: "Launching" }, cause, [...commands, { _tag: "Launch", incarnation }])
    : move(policy, next, { _tag: "Waiting", services: policy.dependsOn }, cause, [
      ...commands,
      { _tag: "AwaitDependencies", incarnation }
    ])
}

/** The next run, made by nobody's wish but the rules'. */
export const beginAgain = (policy: Policy, state: InstanceState, cause: Cause): Step =>
  begin(
    policy,
    {
      ...state,
      restarts: state.restarts + 1,
      attempt: state.phase._tag === "Backoff" ? state.attempt + 1 : state.attempt
    },
    cause,
    [{ _tag: "CountRestart", end: state.lastEnd }]
  )

/** Whose wish it is can wait; a route has waited already, and for more than requests. */
const isPatient = (cause: Cause): boolean =>
  cause._tag === "Reload" || (cause._tag === "Person" && cause.verb !== "route")

/** Once it has answered the requests that it has: it gets no others. */
export const endPolitely = (
  policy: Policy,
  state: InstanceState,
  run: Running,
  next: Next,
  cause: Cause,
  open = 0
): Step => {
  if (open === 0 || policy.drainTimeoutMs === 0 || !isPatient(cause)) {
    return end(policy, state, run, next, "stopping", cause)
  }
  const draining: In<"Ending"> = { _tag: "Ending", run, end: null, means: "drain", shown: "stopping", next }
  return move(policy, state, draining, cause, [awaitAnswers(policy, state.incarnation)])
}

/** Down the ladder, if that was waited with. */
export const drained = (policy: Policy, { commands, state }: Step): Step => {
  const { incarnation, phase } = state
  if (phase._tag !== "Ending" || phase.means !== "drain") return step(state, commands)
  const means = policy.stopTimeoutMs === 0 ? "kill" : "signal"
  return step({ ...state, phase: { ...phase, means } }, [...commands, ...ladder(policy, incarnation)])
}

/** Down the stop ladder, and then `next`. */
export const end = (
  policy: Policy,
  state: InstanceState,
  run: Running,
  next: Next,
  shown: "stopping" | "unhealthy",
  cause: Cause
): Step =>
  move(
    policy,
    state,
    { _tag: "Ending", run, end: null, means: policy.stopTimeoutMs === 0 ? "kill" : "signal", shown, next },
    cause,
    ladder(policy, state.incarnation)
  )

/** Nothing of the run is left: what was to follow, follows. */
export const finish = (policy: Policy, state: InstanceState, phase: In<"Ending">, at: Instant): Step => {
  const { means, next, run } = phase
  const runEnd: RunEnd = {
    status: phase.end ?? unknownStatus,
    reason: next._tag === "retry" ? next.reason : "stopped",
    forced: means === "kill"
  }
  const cause: Cause = run === null ? next.cause : { _tag: "Exited", ...runEnd }
  const known: InstanceState = run === null ? state : { ...state, lastEnd: { ...runEnd, at } }
  const follow = (): Step => {
    switch (next._tag) {
      case "stop":
        return move(policy, known, { _tag: "Stopped" }, cause, [])
      case "start":
        return next.automatic ? beginAgain(policy, known, next.cause) : begin(policy, known, next.cause, [])
      case "retry":
        return ended(policy, known, runEnd, at, cause)
      case "fail":
        return move(policy, known, { _tag: "Failed", cause: next.cause }, next.cause, [])
      case "sleep":
        return move(policy, known, { _tag: "Sleeping" }, next.cause, [])
    }
  }
  return run === null ? follow() : released(follow(), state.incarnation)
}

/** What the restart policy says of a run that ended by itself, or was ended for being unfit. */
export const ended = (policy: Policy, state: InstanceState, runEnd: RunEnd, at: Instant, cause: Cause): Step => {
  const known: InstanceState = { ...state, lastEnd: { ...runEnd, at } }
  if (policy.shouldRestart(runEnd)) {
    return move(policy, known, { _tag: "Backoff", until: null, delayMs: 0 }, cause, [
      { _tag: "StepBackoff", incarnation: state.incarnation }
    ])
  }
  return isSuccess(runEnd)
    ? move(policy, known, { _tag: "Completed" }, cause, [])
    : move(policy, known, { _tag: "Failed", cause }, cause, [])
}

/** The run's sockets and descriptors go before anything else is done. */
export const released = ({ commands, state }: Step, incarnation: number): Step =>
  step(state, [{ _tag: "ReleaseRun", incarnation }, ...commands])
