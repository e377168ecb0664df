/**
 * From a service's table in the file to the layers its instances are made of.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ServiceConfig } from "../domain/Config.ts"
import * as Backoff from "./Backoff.ts"
import * as HealthCheck from "./HealthCheck.ts"
import * as Isolation from "./Isolation.ts"
import { Levels } from "./Levels.ts"
import { Notify } from "./Notify.ts"
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

/**
 * A requirement that may be left open: who asks for it has its own where none is provided. It is met by a layer of `Id`,
 * as any requirement is, and gone from the type then.
 *
 * @since 0.1.0
 * @category models
 */
export type Replaceable<Id> = Id & { readonly "~replaceable": true }

/**
 * The same without any part of an instance: its parts are those that its layers are given, and never some that whoever
 * asks for it happens to have.
 *
 * @internal
 */
export const withoutParts = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.omit(
    Backoff.Backoff,
    HealthCheck.HealthCheck,
    Isolation.Isolation,
    Readiness.Readiness,
    RestartPolicy.RestartPolicy
  )(context) as Context.Context<R>

/** What was provided, else what the file says. */
const unlessGiven = <Id, Service>(tag: Context.Tag<Id, Service>, otherwise: () => Service) =>
  Effect.map(Effect.serviceOption(tag), Option.getOrElse(otherwise))

const healthCheck = ({ health, healthTimeoutMs: timeoutMs }: ServiceConfig) =>
  health === null ? HealthCheck.services.none : HealthCheck.services.http({ path: health, timeoutMs })

const readiness = (
  { readiness }: ServiceConfig,
  check: Context.Tag.Service<HealthCheck.HealthCheck>,
  notify: Context.Tag.Service<Notify>
): Context.Tag.Service<Readiness.Readiness> => {
  switch (readiness) {
    case "health":
      return Readiness.services.health(check)
    case "notify":
      return Readiness.services.notify(notify)
    case "started":
      return Readiness.services.started
    case "socket":
    case "port":
      return Readiness.services.socket
  }
}

/**
 * The parts of a service's instance as the file says. Not a layer: each instance builds its own, and what remembers that a
 * layer was built is not small.
 *
 * @internal
 */
export const fromFile = (
  config: ServiceConfig
): Effect.Effect<Context.Context<InstanceServices>, never, Levels | Notify> =>
  Effect.gen(function*() {
    const { backoffBaseMs: baseMs, backoffJitter: jitter, backoffMaxMs: maxMs } = config
    const levels = yield* Levels
    const notify = yield* Notify
    const check = yield* unlessGiven(HealthCheck.HealthCheck, () => healthCheck(config))
    return Context.make(HealthCheck.HealthCheck, check).pipe(
      Context.add(
        RestartPolicy.RestartPolicy,
        yield* unlessGiven(RestartPolicy.RestartPolicy, () => RestartPolicy.services[config.restart])
      ),
      Context.add(
        Backoff.Backoff,
        yield* unlessGiven(
          Backoff.Backoff,
          () => ({ schedule: Backoff.exponentialSchedule({ baseMs, maxMs, jitter }) })
        )
      ),
      Context.add(Isolation.Isolation, yield* unlessGiven(Isolation.Isolation, () => levels.of(config))),
      Context.add(
        Readiness.Readiness,
        yield* unlessGiven(Readiness.Readiness, () => readiness(config, check, notify))
      )
    )
  })

/**
 * The layers of one service: whatever is provided to it takes the place of what the file says.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as Schedule from "effect/Schedule"
 * import { Backoff, type Configuration, forService } from "tenement"
 *
 * export const layers = (config: Configuration.ServiceConfig) =>
 *   forService(config).pipe(Layer.provide(Backoff.fromSchedule(Schedule.fibonacci("50 millis"))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const forService = (
  config: ServiceConfig
): Layer.Layer<InstanceServices, never, Levels | Notify | Replaceable<InstanceServices>> =>
  Layer.effectContext(fromFile(config))
