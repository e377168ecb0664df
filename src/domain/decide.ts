/**
 * The life of an instance as one pure, total function: `decide(policy, state, event)`. No clock, no I/O, no Effect;
 * time arrives inside the event. All restart rules, health verdicts and the stop ladder are here, to be read in one
 * sitting and tested by the million.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import { isSuccess, reasonOf, type RunEnd, unknown as unknownStatus } from "./Exit.ts"
import type { Command, InstanceEvent, Policy, Timer } from "./InstanceEvent.ts"
import { type InstanceState, isAsleep, isSettled, label, type Next, type Phase, type Running } from "./InstanceState.ts"
import { elapsed, type Instant, plus } from "./Instant.ts"
import * as Intensity from "./Intensity.ts"

type Event<Tag extends InstanceEvent["_tag"]> = Extract<InstanceEvent, { readonly _tag: Tag }>
type In<Tag extends Phase["_tag"]> = Extract<Phase, { readonly _tag: Tag }>

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

/**
 * One step of an instance's life. An event that means nothing in this state, or belongs to another incarnation,
 * changes nothing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decide = (policy: Policy, state: InstanceState, event: InstanceEvent): Step => {
  switch (event._tag) {
    case "Start":
      return onStart(policy, state, event)
    case "Stop":
      return onStop(policy, state, event)
    case "Restart":
      return onRestart(policy, state, event)
    case "GiveUp":
      return onGiveUp(policy, state, event)
    default:
      return event.incarnation === state.incarnation ? ofThisRun(policy, state, event) : step(state)
  }
}

/**
 * The commands that bring a new actor to where its predecessor left off: timers are armed again, probes and waits go
 * on, and a process that is alive is taken over, not started a second time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resume = (policy: Policy, state: InstanceState, at: Instant): ReadonlyArray<Command> => {
  const { incarnation, phase } = state
  switch (phase._tag) {
    case "Stopped":
    case "Sleeping":
    case "Completed":
    case "Failed":
      return []
    case "Waiting":
      return [{ _tag: "AwaitDependencies", incarnation }]
    case "Launching":
      return [{ _tag: "Launch", incarnation }]
    case "Starting":
      return [
        { _tag: "WatchExit", incarnation },
        { _tag: "AwaitReadiness", incarnation },
        arm("startup", incarnation, policy.startupTimeoutMs - elapsed(phase.run.since, at))
      ]
    case "Up":
      return [
        { _tag: "WatchExit", incarnation },
        ...watches(policy, incarnation),
        ...(phase.failures === 0 ? untilStable(policy, state) : [])
      ]
    case "Ending":
      return phase.run === null
        ? [{ _tag: "AbortLaunch", incarnation }]
        : [
          { _tag: phase.end === null ? "WatchExit" : "AwaitTree", incarnation },
          phase.means === "drain"
            ? awaitAnswers(policy, incarnation)
            : phase.means === "signal"
            ? arm("stop", incarnation, policy.stopTimeoutMs)
            : { _tag: "KillTree", incarnation }
        ]
    case "Backoff":
      return phase.until === null
        ? [{ _tag: "StepBackoff", incarnation }]
        : policy.group !== null
        ? [{ _tag: "TellGroup", incarnation, delayMs: Math.max(0, elapsed(at, phase.until)) }]
        : [arm("backoff", incarnation, elapsed(at, phase.until))]
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is asked for
// ---------------------------------------------------------------------------------------------------------------------

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
      return keepsWish ? step(state) : move(policy, wanted, { _tag: "Stopped" }, cause, [])
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

// ---------------------------------------------------------------------------------------------------------------------
// What happens to a run
// ---------------------------------------------------------------------------------------------------------------------

const ofThisRun = (
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
  if (timer === "backoff" && phase._tag === "Backoff" && phase.until !== null) {
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

// ---------------------------------------------------------------------------------------------------------------------
// The steps these are made of
// ---------------------------------------------------------------------------------------------------------------------

const step = (state: InstanceState, commands: ReadonlyArray<Command> = []): Step => ({ state, commands })

/** A later request replaces what was to follow an end that is under way: no second signal, the last wish wins. */
const replaceNext = (
  policy: Policy,
  state: InstanceState,
  phase: In<"Ending">,
  next: Next,
  cause: Cause
): Step => stay(policy, state, { ...phase, shown: "stopping", next }, cause, [])

const callOff = (next: Next): Phase => ({
  _tag: "Ending",
  run: null,
  end: null,
  means: "signal",
  shown: "stopping",
  next
})

/** What a person asks for lifts a failure and begins the backoff anew. */
const forgiven = (state: InstanceState): InstanceState => ({
  ...state,
  attempt: 0,
  history: state.phase._tag === "Failed" ? Intensity.empty : state.history
})

const withReset = ({ commands, state }: Step): Step => step(state, [...commands, { _tag: "ResetBackoff" }])

const arm = (timer: Timer, incarnation: number, delayMs: number): Command => ({
  _tag: "ArmTimer",
  incarnation,
  timer,
  delayMs: Math.max(0, delayMs)
})

/** What is watched of a run that is ready. */
const watches = (policy: Policy, incarnation: number): ReadonlyArray<Command> => [
  ...(policy.health === null ? [] : [{ _tag: "StartProbes", incarnation } as const]),
  ...(policy.idleTimeoutMs === 0 ? [] : [{ _tag: "WatchIdle", incarnation } as const])
]

/** Only a backoff that has begun can begin anew; an instance that never failed needs no timer. */
const untilStable = (policy: Policy, { attempt, incarnation }: InstanceState): ReadonlyArray<Command> =>
  attempt === 0 ? [] : [arm("stable", incarnation, policy.stableAfterMs)]

const awaitAnswers = ({ drainTimeoutMs }: Policy, incarnation: number): Command => ({
  _tag: "AwaitAnswers",
  incarnation,
  limitMs: drainTimeoutMs
})

/** Stop signal, SIGCONT in case it is stopped, then a deadline; with no time to wait, the kill at once. */
const ladder = (policy: Policy, incarnation: number): ReadonlyArray<Command> =>
  policy.stopTimeoutMs === 0
    ? [{ _tag: "KillTree", incarnation }]
    : [
      { _tag: "Signal", incarnation, signal: policy.stopSignal },
      { _tag: "Signal", incarnation, signal: "SIGCONT" },
      arm("stop", incarnation, policy.stopTimeoutMs)
    ]

/** A main process that did not pass on the signal, as a shell does not: the others are asked, and have the same deadline. */
const askTree = (policy: Policy, incarnation: number): ReadonlyArray<Command> => [
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
const move = (
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
const stay = (
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
const begin = (policy: Policy, state: InstanceState, cause: Cause, commands: ReadonlyArray<Command>): Step => {
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
const beginAgain = (policy: Policy, state: InstanceState, cause: Cause): Step =>
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
const endPolitely = (
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
const drained = (policy: Policy, { commands, state }: Step): Step => {
  const { incarnation, phase } = state
  if (phase._tag !== "Ending" || phase.means !== "drain") return step(state, commands)
  const means = policy.stopTimeoutMs === 0 ? "kill" : "signal"
  return step({ ...state, phase: { ...phase, means } }, [...commands, ...ladder(policy, incarnation)])
}

/** Down the stop ladder, and then `next`. */
const end = (
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
const finish = (policy: Policy, state: InstanceState, phase: In<"Ending">, at: Instant): Step => {
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
const ended = (policy: Policy, state: InstanceState, runEnd: RunEnd, at: Instant, cause: Cause): Step => {
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
const released = ({ commands, state }: Step, incarnation: number): Step =>
  step(state, [{ _tag: "ReleaseRun", incarnation }, ...commands])
