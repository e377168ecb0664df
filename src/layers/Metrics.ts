/**
 * Figures for Prometheus.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ExitReason } from "../domain/Exit.ts"
import type { InstanceName, ServiceName } from "../domain/Names.ts"
import type { InstanceView } from "../domain/Views.ts"

/**
 * Counters are told what happened; gauges are read from the instances when somebody scrapes.
 *
 * @since 0.1.0
 * @category tags
 */
export class Metrics extends Context.Tag("tenement/layers/Metrics")<Metrics, {
  /** An automatic restart, and how the run before it ended. */
  readonly restarted: (instance: InstanceName, reason: ExitReason) => Effect.Effect<void>
  /** A health probe took so many seconds. */
  readonly probed: (service: ServiceName, seconds: number) => Effect.Effect<void>
  /** The kernel ended the instance for memory. */
  readonly oomKilled: (instance: InstanceName) => Effect.Effect<void>
  /** The instance was removed: none of its series is left. */
  readonly forget: (instance: InstanceName) => Effect.Effect<void>
  /** The exposition text. `cpuSeconds` is the CPU time each running instance has used. */
  readonly render: (
    instances: ReadonlyArray<InstanceView>,
    cpuSeconds: ReadonlyMap<InstanceName, number>
  ) => Effect.Effect<{ readonly contentType: string; readonly body: string }>
}>() {}
