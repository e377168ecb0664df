/**
 * The life of an instance as one pure, total function: `decide(policy, state, event)`. No clock, no I/O, no Effect;
 * time arrives inside the event. What is asked for is in `Wishes`, what happens to a run in `RunEvents`, and
 * the steps that both are made of in `Steps`: all restart rules, health verdicts and the stop ladder.
 *
 * @since 0.1.0
 */
import type { Command, InstanceEvent, Policy } from "./InstanceEvent.ts"
import type { InstanceState } from "./InstanceState.ts"
import { elapsed, type Instant } from "./Instant.ts"
import * as RunEvents from "./RunEvents.ts"
import { arm, drain, type Step, step, untilStable, watches } from "./Steps.ts"
import * as Wishes from "./Wishes.ts"

export type { Step }

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
    case "Stop":
    case "Restart":
    case "GiveUp":
      return Wishes.decide(policy, state, event)
    default:
      return event.incarnation === state.incarnation ? RunEvents.decide(policy, state, event) : step(state)
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
            // What it has to answer may be another supervisor's, which stays for it: the kernel knows.
            ? drain(policy, incarnation)
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
