/**
 * What becomes of an instance that sleeps: who wakes it, how often and how quickly, and whether it may sleep at all.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Command } from "../domain/InstanceEvent.ts"
import { isAsleep } from "../domain/InstanceState.ts"
import { elapsed } from "../domain/Instant.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import type { Metrics } from "../layers/Metrics.ts"
import { type InstanceMemory, tell } from "./InstanceMemory.ts"
import { now } from "./Now.ts"

/**
 * Another one that depends on it is to start: if it sleeps, it wakes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wake = (memory: InstanceMemory) => (by: InstanceName): Effect.Effect<void> =>
  tell(memory, { _tag: "Start", cause: { _tag: "Needed", by } }, null)

/**
 * Whether it sleeps, and its configuration knows of no sleep.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sleepsInVain = ({ parts: { policy }, state }: InstanceMemory): boolean =>
  policy.idleTimeoutMs === 0 && isAsleep(state)

/**
 * What wakes who sleeps in vain.
 *
 * @since 0.1.0
 * @category constants
 */
export const forGood = { _tag: "Start", cause: { _tag: "Reload", keys: ["idle_timeout"] } } as const

/**
 * Counts a wake when it begins, and how long it took once the instance is ready.
 *
 * @since 0.1.0
 * @category combinators
 */
export const count = (
  memory: InstanceMemory,
  metrics: Context.Tag.Service<Metrics>,
  { cause, to }: Extract<Command, { readonly _tag: "Publish" }>
): Effect.Effect<void> =>
  Effect.flatMap(now, (at) => {
    const { options: { name }, wokenAt } = memory
    if (cause._tag === "Request" || cause._tag === "Needed") {
      memory.wokenAt = at
      return metrics.waking(name)
    }
    if (to === "starting" || wokenAt === null) return Effect.void
    memory.wokenAt = null
    return cause._tag === "Ready" ? metrics.woke(parts(name).service, elapsed(wokenAt, at) / 1000) : Effect.void
  })
