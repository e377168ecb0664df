/**
 * What a caller waits for, and when the wait is over.
 *
 * @since 0.1.0
 */
import type * as Deferred from "effect/Deferred"
import { describeCause, describeEnd, duration } from "../domain/Explain.ts"
import type { InstanceState } from "../domain/InstanceState.ts"
import { elapsed, type Instant } from "../domain/Instant.ts"
import { type Beside, isAlone } from "../domain/Rollout.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import type { ActorLost } from "./Errors.ts"

/**
 * How a wait ended. `reason` is the end of a sentence that begins with the instance.
 *
 * @since 0.1.0
 * @category models
 */
export type Settled =
  | { readonly _tag: "Done"; readonly changed: boolean; readonly forced: boolean }
  | { readonly _tag: "NotReady"; readonly reason: string }

/**
 * A caller that waits until the instance is ready, until the run that it asked for is (`renewed`), or until its process
 * tree is gone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Waiter {
  readonly until: "ready" | "renewed" | "gone"
  readonly since: Instant
  readonly reply: Deferred.Deferred<Settled, ActorLost | StoreFailed>
  /** Whether there was something to do. */
  changed: boolean
}

const done = (waiter: Waiter, forced: boolean): Settled => ({ _tag: "Done", changed: waiter.changed, forced })

/**
 * Whether the wait is over in this state, and how it ended.
 *
 * @since 0.1.0
 * @category combinators
 */
export const verdict = (waiter: Waiter, state: InstanceState, beside: Beside, now: Instant): Settled | null => {
  const { lastEnd, phase } = state
  const forced = lastEnd !== null && lastEnd.forced && elapsed(waiter.since, lastEnd.at) >= 0
  if (waiter.until === "gone") return phase._tag === "Ending" || !isAlone(beside) ? null : done(waiter, forced)
  if (waiter.until === "renewed" && phase._tag === "Up") {
    if (beside.successor !== null) return null
    if (beside.failure !== null) {
      return { _tag: "NotReady", reason: `${beside.failure}; the run before it goes on` }
    }
  }
  switch (phase._tag) {
    case "Up":
    case "Sleeping":
    case "Completed":
      return done(waiter, forced)
    case "Failed":
      return { _tag: "NotReady", reason: `it failed: ${describeCause(phase.cause)}` }
    case "Stopped":
      return { _tag: "NotReady", reason: "it was stopped before it was ready" }
    case "Backoff": {
      // In a moment it is known for how long.
      if (phase.until === null) return null
      const how = lastEnd === null ? "it failed" : `it ${describeEnd(lastEnd)}`
      const next = duration(Math.max(0, elapsed(now, phase.until)))
      return { _tag: "NotReady", reason: `${how}; next try in ${next}` }
    }
    default:
      return null
  }
}
