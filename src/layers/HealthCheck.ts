/**
 * Asks an instance whether it is well.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Endpoint } from "./Endpoint.ts"
import type { Unhealthy } from "./Errors.ts"

/**
 * One probe. Succeeds with what was seen (`GET /health: 200`), fails with why the instance is not healthy, never
 * outlives its deadline. The actor keeps at most one in flight.
 *
 * @since 0.1.0
 * @category tags
 */
export class HealthCheck extends Context.Tag("tenement/layers/HealthCheck")<HealthCheck, {
  readonly probe: (endpoint: Endpoint) => Effect.Effect<string, Unhealthy>
}>() {}
