/**
 * From a service's table in the file to the layers its instances are made of.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ServiceConfig } from "../domain/Config.ts"
import * as Backoff from "./Backoff.ts"
import * as HealthCheck from "./HealthCheck.ts"
import * as Isolation from "./Isolation.ts"
import type { Notify } from "./Notify.ts"
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

/** What was provided from outside, else what the file says. */
const unlessGiven = <Id, Service, R>(
  tag: Context.Tag<Id, Service>,
  otherwise: Layer.Layer<Id, never, R>
): Layer.Layer<Id, never, R> =>
  Layer.unwrapEffect(Effect.map(
    Effect.serviceOption(tag),
    Option.match({ onNone: () => otherwise, onSome: (given) => Layer.succeed(tag, given) })
  ))

const healthCheck = ({ health, healthTimeoutMs: timeoutMs }: ServiceConfig) =>
  health === null ? HealthCheck.socket({ timeoutMs }) : HealthCheck.http({ path: health, timeoutMs })

const readiness = (
  { readiness }: ServiceConfig
): Layer.Layer<Readiness.Readiness, never, HealthCheck.HealthCheck | Notify> => {
  switch (readiness) {
    case "health":
      return Readiness.health
    case "notify":
      return Readiness.notify
    case "started":
      return Readiness.started
    case "socket":
    case "port":
      return Readiness.socket
  }
}

/**
 * The layers of one service. Whatever is provided to it takes the place of what the file says.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as Schedule from "effect/Schedule"
 * import * as Backoff from "tenement/Backoff"
 * import { forService } from "tenement/forService"
 * import type { ServiceConfig } from "tenement/Config"
 *
 * export const layers = (config: ServiceConfig) =>
 *   forService(config).pipe(Layer.provide(Backoff.fromSchedule(Schedule.fibonacci("50 millis"))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const forService = (config: ServiceConfig): Layer.Layer<InstanceServices, never, Notify> => {
  const { backoffBaseMs: baseMs, backoffJitter: jitter, backoffMaxMs: maxMs } = config
  return Layer.mergeAll(
    unlessGiven(RestartPolicy.RestartPolicy, RestartPolicy.forMode(config.restart)),
    unlessGiven(Backoff.Backoff, Backoff.exponential({ baseMs, maxMs, jitter })),
    unlessGiven(Isolation.Isolation, Isolation.process),
    unlessGiven(Readiness.Readiness, readiness(config)).pipe(
      Layer.provideMerge(unlessGiven(HealthCheck.HealthCheck, healthCheck(config)))
    )
  )
}
