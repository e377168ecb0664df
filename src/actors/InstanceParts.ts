/**
 * What one instance is made of, once its layers are built.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { ServiceConfig } from "../domain/Config.ts"
import type { Policy } from "../domain/InstanceEvent.ts"
import type { GroupName } from "../domain/Names.ts"
import * as Backoff from "../layers/Backoff.ts"
import { type InstanceServices, withoutParts } from "../layers/forService.ts"
import { HealthCheck } from "../layers/HealthCheck.ts"
import { Isolation } from "../layers/Isolation.ts"
import type { Launcher } from "../layers/Launcher.ts"
import type { Levels } from "../layers/Levels.ts"
import type { Notify } from "../layers/Notify.ts"
import { Readiness } from "../layers/Readiness.ts"
import { RestartPolicy } from "../layers/RestartPolicy.ts"
import * as Guard from "./Guard.ts"

/**
 * What the layers of an instance may ask for, of what all instances share (`Embed.Machine`).
 *
 * @since 0.1.0
 * @category models
 */
export type Shared = Launcher | Levels | Notify

/**
 * Builds what an instance of a service is made of: `forService`'s layer, or what a program makes of that.
 *
 * @since 0.1.0
 * @category models
 */
export type ServicesFor = (
  service: ServiceConfig
) => Effect.Effect<Context.Context<InstanceServices>, never, Shared | Scope.Scope>

/**
 * @since 0.1.0
 * @category models
 */
export interface InstanceParts {
  readonly scope: Scope.CloseableScope
  readonly config: ServiceConfig
  readonly policy: Policy
  readonly restartPolicy: string
  readonly backoff: Pick<Backoff.Stepper, "at" | "reset">
  readonly health: typeof HealthCheck.Service
  readonly readiness: typeof Readiness.Service
  readonly isolation: typeof Isolation.Service
}

/**
 * Builds an instance's parts in a scope of their own; each instance gets its own, so that nothing is shared by accident.
 *
 * @since 0.1.0
 * @category constructors
 */
export const build = Effect.fnUntraced(
  function*(config: ServiceConfig, group: GroupName | null, services: ServicesFor, within: Scope.Scope) {
    const scope = yield* Scope.fork(within, { _tag: "Sequential" })
    const context = yield* Scope.extend(services(config), scope).pipe(
      Effect.mapInputContext(withoutParts<Shared>),
      Effect.onExit((exit) => exit._tag === "Failure" ? Scope.close(scope, exit) : Effect.void)
    )
    const restart = Guard.restartPolicy(Context.get(context, RestartPolicy))
    const health = Guard.healthCheck(Context.get(context, HealthCheck))
    const readiness = Guard.readiness(Context.get(context, Readiness))
    const parts: InstanceParts = {
      scope,
      config,
      policy: {
        shouldRestart: restart.shouldRestart,
        revivedByGroup: restart.revivedByGroup,
        intensity: { max: config.maxRestarts, windowMs: config.restartWindowMs },
        stableAfterMs: config.stableAfterMs,
        startupTimeoutMs: config.startupTimeoutMs,
        awaitsReadiness: readiness.waits,
        stopSignal: config.stopSignal,
        stopTimeoutMs: config.stopTimeoutMs,
        health: health.watches ? { retries: config.healthRetries } : null,
        idleTimeoutMs: config.idleTimeoutMs,
        dependsOn: config.dependsOn,
        group,
        rolling: config.restartMode === "rolling",
        drainTimeoutMs: config.drainTimeoutMs
      },
      restartPolicy: restart.name,
      backoff: Guard.backoff(Backoff.stepper(Context.get(context, Backoff.Backoff).schedule)),
      health,
      readiness,
      isolation: Context.get(context, Isolation)
    }
    return parts
  }
)
