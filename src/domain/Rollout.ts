/**
 * A restart that drops nothing: the next run is started beside the one that serves, takes over when it is ready, and the
 * one before is stopped once nothing is open on it any more.
 *
 * Each of these runs lives by `decide`, as if it were alone. What is added here is who of them the instance is: the run
 * that serves (`main`), the one that is to follow it, and those that were replaced and have not ended yet.
 *
 * @since 0.1.0
 */
import type { Cause } from "./Cause.ts"
import * as One from "./decide.ts"
import { describeCause } from "./Explain.ts"
import type { Command, InstanceEvent, Policy } from "./InstanceEvent.ts"
import { initial, type InstanceState, isSettled, label } from "./InstanceState.ts"
import { elapsed, type Instant } from "./Instant.ts"
import { drain } from "./Steps.ts"

/**
 * The runs beside the one that serves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Beside {
  readonly successor: InstanceState | null
  readonly retiring: ReadonlyArray<InstanceState>
  /** Why the last replacement was given up; `null` where it was not. */
  readonly failure: string | null
}

/**
 * Nobody: as an instance is that is not being replaced. One for all.
 *
 * @since 0.1.0
 * @category constants
 */
export const alone: Beside = { successor: null, retiring: [], failure: null }

/**
 * All runs of an instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lives {
  readonly main: InstanceState
  readonly beside: Beside
}

/**
 * The next state of all of them, and what to do about it, in order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step extends Lives {
  readonly commands: ReadonlyArray<Command>
}

type Event<Tag extends InstanceEvent["_tag"]> = Extract<InstanceEvent, { readonly _tag: Tag }>

/**
 * One step of an instance's life, `decide` for all of its runs.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decide = (policy: Policy, lives: Lives, event: InstanceEvent): Step => {
  const { beside: { retiring, successor }, main } = lives
  if (event._tag === "Restart" && replaces(policy, lives, event)) return onReplace(policy, lives, event)
  if (successor === null && retiring.length === 0) {
    const { commands, state } = One.decide(policy, main, event)
    return { main: state, beside: alone, commands }
  }
  if (event._tag === "Stop" || event._tag === "GiveUp") return onStop(policy, lives, event)
  // Nobody is put to sleep while one run follows another.
  if (event._tag === "Idle") return { ...lives, commands: [] }
  if (!("incarnation" in event) || event.incarnation === main.incarnation) return onMain(policy, lives, event)
  return event.incarnation === successor?.incarnation
    ? onSuccessor(policy, lives, successor, event)
    : onRetiring(policy, lives, event)
}

/**
 * The commands that bring a new actor to where its predecessor left off, for all runs.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resume = (policy: Policy, { beside, main }: Lives, at: Instant): ReadonlyArray<Command> => [
  ...One.resume(policy, main, at),
  ...(beside.successor === null ? [] : One.resume(besides(policy), beside.successor, at)),
  ...beside.retiring.flatMap((state): ReadonlyArray<Command> =>
    state.phase._tag === "Up"
      ? [{ _tag: "WatchExit", incarnation: state.incarnation }, drain(policy, state.incarnation)]
      : One.resume(besides(policy), state, at)
  )
]

/**
 * Whether nothing runs beside the one that serves.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isAlone = ({ retiring, successor }: Beside): boolean => successor === null && retiring.length === 0

/** A run beside the instance's own is started once and not again; it waits for nobody, and no group answers for it. */
const besides = (policy: Policy): Policy => ({ ...policy, shouldRestart: () => false, dependsOn: [], group: null })

/** What such a run does is no transition of the instance, and takes no part in its backoff. */
const quiet = (commands: ReadonlyArray<Command>): ReadonlyArray<Command> =>
  commands.filter(({ _tag }) => _tag !== "Publish" && _tag !== "ResetBackoff")

const told = (policy: Policy, { phase }: InstanceState, cause: Cause): Command => {
  const shown = label(phase, policy.health)
  return { _tag: "Publish", from: shown, to: shown, cause }
}

const replaces = (policy: Policy, { main }: Lives, { cause }: Event<"Restart">): boolean =>
  policy.rolling && main.phase._tag === "Up" &&
  (cause._tag === "Person" || (cause._tag === "Reload" && main.wanted !== "stopped"))

/** The next run is started, or started anew if it is on its way: there may be another command to run by now. */
const onReplace = (policy: Policy, { beside, main }: Lives, { at, cause }: Event<"Restart">): Step => {
  const { successor } = beside
  const { newest } = newestOf(main, successor)
  const begun = One.decide(
    besides(policy),
    successor ?? { ...initial, incarnation: newest, newest },
    { _tag: successor === null ? "Start" : "Restart", at, cause }
  )
  return {
    main: { ...main, wanted: "running", newest: newestOf(main, begun.state).newest },
    beside: { ...beside, successor: begun.state, failure: null },
    commands: [told(policy, main, cause), ...quiet(begun.commands)]
  }
}

const newestOf = (main: InstanceState, other: InstanceState | null): { readonly newest: number } => ({
  newest: Math.max(main.newest, main.incarnation, other?.newest ?? 0)
})

/** All of them are stopped; what is open on those that were replaced is not waited for any more. */
const onStop = (policy: Policy, { beside, main }: Lives, event: Event<"Stop" | "GiveUp">): Step => {
  const own = One.decide(policy, main, event)
  const commands = [...own.commands]
  const stopped = [...beside.retiring, ...(beside.successor === null ? [] : [beside.successor])].map((state) => {
    const side = One.decide(besides(policy), state, { _tag: "Stop", at: event.at, cause: event.cause })
    commands.push(...quiet(side.commands))
    return side.state
  })
  return {
    main: own.state,
    beside: normal({ successor: null, retiring: stopped.filter((state) => !isSettled(state)), failure: null }),
    commands
  }
}

const onMain = (policy: Policy, { beside, main }: Lives, event: InstanceEvent): Step => {
  const { commands, state } = One.decide(policy, main, event)
  const { successor } = beside
  const isLeaving = main.phase._tag === "Up" && state.phase._tag !== "Up"
  if (successor === null || !isLeaving) return { main: state, beside, commands }
  // It failed while the next was on its way already: that one is the restart.
  const isOver = state.phase._tag !== "Ending"
  const published = commands.flatMap((command) => command._tag === "Publish" ? [command.cause] : [])
  const [cause = { _tag: "Replaced", incarnation: main.incarnation, afterMs: 0 } satisfies Cause] = published
  return {
    main: succeed(state, successor),
    beside: normal({
      ...beside,
      successor: null,
      retiring: isOver ? beside.retiring : [...beside.retiring, ended(state)]
    }),
    commands: [
      ...quiet(commands).filter(({ _tag }) => _tag !== "StepBackoff" && _tag !== "TellGroup"),
      {
        _tag: "Publish",
        from: label(main.phase, policy.health),
        to: label(successor.phase, policy.health),
        cause
      }
    ]
  }
}

/** Its end is the end of it: what was to follow is there already. */
const ended = (state: InstanceState): InstanceState =>
  state.phase._tag === "Ending"
    ? { ...state, wanted: "stopped", phase: { ...state.phase, next: { _tag: "stop", cause: state.phase.next.cause } } }
    : state

/** The instance is that run from now on. */
const succeed = (main: InstanceState, { incarnation, newest, phase }: InstanceState): InstanceState => ({
  ...main,
  phase,
  incarnation,
  newest: Math.max(main.newest, newest),
  attempt: 0,
  wanted: "running"
})

const onSuccessor = (policy: Policy, lives: Lives, successor: InstanceState, event: InstanceEvent): Step => {
  const { beside, main } = lives
  const { commands, state } = One.decide(besides(policy), successor, event)
  if (state.phase._tag === "Up") return takeOver(policy, lives, state, event.at, commands)
  const failed = { ...beside, successor: state, failure: failureOf(successor, state) ?? beside.failure }
  const newest = newestOf(main, state)
  if (!isSettled(state)) return { main: { ...main, ...newest }, beside: failed, commands: quiet(commands) }
  const problem = failed.failure ?? "it ended before it was ready"
  return {
    main: { ...main, ...newest },
    beside: { ...failed, successor: null, failure: problem },
    commands: [...quiet(commands), told(policy, main, { _tag: "NotReplaced", problem })]
  }
}

/** What went wrong with it, at the moment when it is known. */
const failureOf = (before: InstanceState, { phase }: InstanceState): string | null =>
  phase._tag === "Failed" && before.phase._tag !== "Ending"
    ? describeCause(phase.cause)
    : phase._tag === "Ending" && phase.next._tag === "retry" && before.phase._tag !== "Ending"
    ? describeCause(phase.next.cause)
    : null

/** The symlink leads to it already; requests follow with this step, and the run before has no new ones. */
const takeOver = (
  policy: Policy,
  { beside, main }: Lives,
  successor: InstanceState,
  at: Instant,
  commands: ReadonlyArray<Command>
): Step => {
  const { incarnation } = main
  const since = successor.phase._tag === "Up" ? successor.phase.run.since : at
  const retired: InstanceState = { ...initial, incarnation, newest: incarnation, phase: main.phase, wanted: "stopped" }
  const next = succeed(main, successor)
  return {
    main: next,
    beside: { successor: null, retiring: [...beside.retiring, retired], failure: null },
    commands: [
      { _tag: "CancelTimer", incarnation, timer: "stable" },
      { _tag: "StopProbes", incarnation },
      { _tag: "StopWatchingIdle", incarnation },
      { _tag: "ResetBackoff" },
      {
        _tag: "Publish",
        from: label(main.phase, policy.health),
        to: label(next.phase, policy.health),
        cause: { _tag: "Replaced", incarnation, afterMs: elapsed(since, at) }
      },
      ...quiet(commands),
      drain(policy, retired.incarnation)
    ]
  }
}

const onRetiring = (policy: Policy, { beside, main }: Lives, event: InstanceEvent): Step => {
  const commands: Array<Command> = []
  let { lastEnd } = main
  const retiring = beside.retiring.flatMap((state) => {
    if (!("incarnation" in event) || event.incarnation !== state.incarnation) return [state]
    let own: InstanceEvent = event
    if (event._tag === "Drained" && state.phase._tag === "Up") {
      const cause: Cause = { _tag: "Drained", incarnation: state.incarnation, left: event.left }
      commands.push(told(policy, main, cause))
      own = { _tag: "Stop", at: event.at, cause }
    }
    const next = One.decide(besides(policy), state, own)
    commands.push(...quiet(next.commands))
    if (!isSettled(next.state)) return [next.state]
    lastEnd = next.state.lastEnd ?? lastEnd
    return []
  })
  return { main: { ...main, lastEnd }, beside: normal({ ...beside, retiring }), commands }
}

const normal = (beside: Beside): Beside => isAlone(beside) && beside.failure === null ? alone : beside
