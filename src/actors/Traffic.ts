/**
 * What a gateway asks of the tree, and tells it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { TenementConfig } from "../domain/Config.ts"
import type { InstanceId, InstanceName, ServiceName } from "../domain/Names.ts"
import type { Metrics } from "../layers/Metrics.ts"
import type { Arrival } from "./Arrivals.ts"
import type { Backend } from "./Backend.ts"

/**
 * Plain functions, for they are called in the middle of each request: there, a fiber for each would cost more than the
 * request itself. Only `arrive` takes time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Traffic {
  readonly config: () => TenementConfig
  /** The instances of a service, or the one of that id; none if there is no such service. */
  readonly backends: (service: ServiceName, id: InstanceId | null) => ReadonlyArray<Backend>
  readonly answered: Metrics["Type"]["answered"]
  /** An instance is in use, by another way than the gateway's. */
  readonly seen: (instance: InstanceName) => void
  /** Waits until the instance serves, within bounds; if it sleeps, it wakes. */
  readonly arrive: (instance: InstanceName) => Effect.Effect<Arrival>
  readonly refused: Metrics["Type"]["refused"]
  readonly logged: Metrics["Type"]["logged"]
}
