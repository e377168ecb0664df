/**
 * The counters of a simulated supervisor, to be read at any moment.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ExitReason } from "../domain/Exit.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Metrics } from "../layers/Metrics.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class SimulatedMetrics {
  /** Automatic restarts, by how the run before ended. */
  readonly restarts = new Map<InstanceName, Map<ExitReason, number>>()
  readonly oomKills = new Map<InstanceName, number>()
  probes = 0

  /** All automatic restarts of an instance. */
  restartsOf(instance: InstanceName): number {
    let all = 0
    for (const times of this.restarts.get(instance)?.values() ?? []) all += times
    return all
  }

  /** As a supervisor has them. */
  readonly service: Context.Tag.Service<Metrics> = {
    restarted: (instance, reason, times = 1) =>
      Effect.sync(() => {
        const reasons = this.restarts.get(instance) ?? new Map<ExitReason, number>()
        this.restarts.set(instance, reasons.set(reason, (reasons.get(reason) ?? 0) + times))
      }),
    probed: () => Effect.sync(() => void this.probes++),
    oomKilled: (instance) =>
      Effect.sync(() => void this.oomKills.set(instance, (this.oomKills.get(instance) ?? 0) + 1)),
    linesLost: () => Effect.void,
    waking: () => Effect.void,
    woke: () => Effect.void,
    answered: () => undefined,
    refused: () => undefined,
    logged: () => undefined,
    forget: (instance) =>
      Effect.sync(() => {
        this.restarts.delete(instance)
        this.oomKills.delete(instance)
      }),
    render: () =>
      Effect.sync(() => ({
        contentType: "text/plain",
        body: [...this.restarts].flatMap(([instance, reasons]) =>
          [...reasons].map(([reason, times]) =>
            `tenement_instance_restarts_total{instance="${instance}",reason="${reason}"} ${times}\n`
          )
        ).join("")
      }))
  }
}
