/**
 * The cgroup of a run: what there is of it once it is made.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Limits } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { CgroupFailed } from "./Errors.ts"

/**
 * Whose cgroup it is. Of several runs of an instance that are alive at once, all but the first are told apart by their
 * number.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly instance: InstanceName
  /** The number of a run that was begun beside another one. */
  readonly beside: number | null
}

/**
 * The cgroup of one run. Where several hierarchies are used it is one in each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cgroup {
  /** The files that a process joins it by, writing `0`. */
  readonly procs: ReadonlyArray<string>
  /** Whether anything lives in it, or in a cgroup within it. */
  readonly isPopulated: Effect.Effect<boolean>
  readonly members: Effect.Effect<ReadonlyArray<number>>
  /** SIGKILL to everything in it, whatever it forks meanwhile; does not wait until it is gone. */
  readonly kill: Effect.Effect<void>
  /** What it is limited to. */
  readonly limits: () => Limits
  /** Other limits, from now on. */
  readonly limit: (limits: Limits) => Effect.Effect<void, CgroupFailed>
  /** What it uses, as far as the machine counts it for cgroups. */
  readonly usage: Effect.Effect<{ readonly memoryBytes: number | null; readonly cpuSeconds: number | null }>
  /** How often the kernel killed in it for memory. */
  readonly oomKills: Effect.Effect<number>
}
