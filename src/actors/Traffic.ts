/**
 * What a gateway asks of the tree, and tells it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { InstanceId, InstanceName, ServiceName } from "../domain/Names.ts"
import type { Answered, Metrics } from "../layers/Metrics.ts"
import type { Arrival } from "./Arrivals.ts"
import type { Backend } from "./Backend.ts"

/**
 * But for `arrive`, nothing here waits: it can be run in the middle of a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Traffic {
  /** The instances of a service, or the one of that id; none if there is no such service. */
  readonly backends: (service: ServiceName, id: InstanceId | null) => Effect.Effect<ReadonlyArray<Backend>>
  /** Counts it, and takes it as a sign that its instance is in use. */
  readonly answered: (request: Answered) => Effect.Effect<void>
  /** Waits until the instance serves, within bounds; if it sleeps, it wakes. This alone takes time. */
  readonly arrive: (instance: InstanceName) => Effect.Effect<Arrival>
  readonly refused: Metrics["Type"]["refused"]
  readonly logged: Metrics["Type"]["logged"]
}
