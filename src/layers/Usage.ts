/**
 * Memory and CPU time that instances use.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InstanceName } from "../domain/Names.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface InstanceUsage {
  readonly memoryBytes: number
  /** CPU time (user and system) since the process started. */
  readonly cpuSeconds: number
  /** Share of one core: since the last sample if that was at least a second ago, else since the process started. */
  readonly cpuPercent: number
}

/**
 * Reads the usage of process trees when asked, and never on its own.
 *
 * @since 0.1.0
 * @category tags
 */
export class Usage extends Context.Tag("tenement/layers/Usage")<Usage, {
  /** The usage of each main process and what it forked; instances whose process is gone are left out. */
  readonly sample: (
    processes: ReadonlyMap<InstanceName, number>
  ) => Effect.Effect<ReadonlyMap<InstanceName, InstanceUsage>>
}>() {}
