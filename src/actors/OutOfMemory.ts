/**
 * What the kernel kills in a run for memory. It counts and says nothing: whom it killed, and when, is seen by looking.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ExitStatus } from "../domain/Exit.ts"
import type { Cgroup } from "../layers/Cgroups.ts"
import { now } from "./Now.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface OutOfMemory {
  /** How often something was, as far as it was asked. */
  readonly known: () => number
  /** Whether something was killed since it was last asked. */
  readonly isNews: Effect.Effect<boolean>
  /** Whether an end, at this moment, is the consequence: the main process was killed itself, or had lost a worker. */
  readonly explains: (status: ExitStatus) => Effect.Effect<boolean>
}

/** Between a kill that is seen and the end of the main process that follows from it. */
const consequenceMs = 5000

/**
 * Of the run in a cgroup.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (cgroup: Cgroup | null, knownBefore = 0): OutOfMemory => {
  let known = knownBefore
  let seenAt = -Infinity
  return {
    known: () => known,
    isNews: Effect.gen(function*() {
      const kills = cgroup === null ? 0 : yield* cgroup.oomKills
      if (kills <= known) return false
      known = kills
      seenAt = (yield* now).mono
      return true
    }),
    explains: ({ code }) => Effect.map(now, ({ mono }) => code !== 0 && mono - seenAt < consequenceMs)
  }
}
