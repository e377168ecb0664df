/**
 * From a service's table in the file to the layers its instances are made of.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import type { ServiceConfig } from "../domain/Config.ts"
import * as Backoff from "./Backoff.ts"
import * as HealthCheck from "./HealthCheck.ts"
import * as Isolation from "./Isolation.ts"
import * as Readiness from "./Readiness.ts"
import * as RestartPolicy from "./RestartPolicy.ts"

/**
 * What one instance asks of its environment, beyond what the whole tree shares.
 *
 * @since 0.1.0
 * @category models
 */
export type InstanceServices =
  | Backoff.Backoff
  | HealthCheck.HealthCheck
  | Isolation.Isolation
  | Readiness.Readiness
  | RestartPolicy.RestartPolicy
