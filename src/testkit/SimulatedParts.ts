/**
 * The parts of an instance on a simulated machine: what its program does decides over its readiness and health.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { ServiceConfig } from "../domain/Config.ts"
import * as Backoff from "../layers/Backoff.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import { IsolationUnavailable, Unhealthy } from "../layers/Errors.ts"
import type { InstanceServices } from "../layers/forService.ts"
import { HealthCheck } from "../layers/HealthCheck.ts"
import { Isolation } from "../layers/Isolation.ts"
import type { LaunchSpec } from "../layers/Launcher.ts"
import { Readiness } from "../layers/Readiness.ts"
import * as RestartPolicy from "../layers/RestartPolicy.ts"
import type { Behaviour } from "./Program.ts"

const policyOf = (
  { restart }: ServiceConfig,
  behaviour: Behaviour
): Context.Tag.Service<RestartPolicy.RestartPolicy> => ({
  ...RestartPolicy.services[restart],
  shouldRestart: (end) => {
    if (behaviour.broken === "policy") throw new Error("no opinion")
    return RestartPolicy.services[restart].shouldRestart(end)
  }
})

const backoffOf = (
  { backoffBaseMs: baseMs, backoffJitter: jitter, backoffMaxMs: maxMs }: ServiceConfig,
  behaviour: Behaviour
): Context.Tag.Service<Backoff.Backoff> => ({
  schedule: Schedule.delayedEffect(
    Backoff.exponentialSchedule({ baseMs, maxMs, jitter }),
    (delay) => behaviour.broken === "backoff" ? Effect.die(new Error("no idea")) : Effect.succeed(delay)
  )
})

const healthOf = (
  { health }: ServiceConfig,
  behaviour: Behaviour,
  { probed }: Observer
): Context.Tag.Service<HealthCheck> => {
  const answer = Effect.suspend(() =>
    behaviour.broken === "health"
      ? Effect.die(new Error("the check itself is broken"))
      : behaviour.healthy && health !== "/bad"
      ? Effect.succeed("GET /health: 200")
      : new Unhealthy({ detail: "GET /health: 503" })
  )
  return {
    watches: health !== null,
    probe: (endpoint) =>
      Effect.suspend(() => {
        probed(endpoint)
        const { answersLate, probeMs } = behaviour
        if (probeMs === 0) return answer
        const wait = Effect.sleep(probeMs)
        return Effect.zipRight(answersLate ? Effect.uninterruptible(wait) : wait, answer)
      })
  }
}

const readinessOf = ({ readiness }: ServiceConfig, behaviour: Behaviour): Context.Tag.Service<Readiness> => ({
  waits: readiness !== "started",
  prepare: () =>
    behaviour.broken === "prepare" ? Effect.die(new Error("no plan")) : Effect.succeed({
      env: {},
      ready: (observe) => {
        const look: Effect.Effect<string> = Effect.suspend(() =>
          behaviour.broken === "readiness"
            ? Effect.die(new Error("no eyes"))
            : behaviour.getsReady
            ? Effect.succeed("it says so")
            : observe("not yet").pipe(Effect.delay("200 millis"), Effect.zipRight(look))
        )
        return look
      }
    })
})

/**
 * Hears what the parts are asked.
 *
 * @since 0.1.0
 * @category models
 */
interface Observer {
  /** A launch was prepared. */
  readonly isolated: (spec: LaunchSpec) => void
  readonly probed: (endpoint: Endpoint) => void
}

/**
 * The parts of one service's instances.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (
  config: ServiceConfig,
  behaviour: Behaviour,
  observer: Observer
): Context.Context<InstanceServices> =>
  Context.make(RestartPolicy.RestartPolicy, policyOf(config, behaviour)).pipe(
    Context.add(Backoff.Backoff, backoffOf(config, behaviour)),
    Context.add(Isolation, {
      prepare: (spec) =>
        Effect.suspend(() => {
          if (behaviour.failsToLaunch === "isolation") {
            const { instance } = spec
            return new IsolationUnavailable({ instance, level: config.isolation, missing: "it is gone", advice: "" })
          }
          observer.isolated(spec)
          return Effect.succeed(spec)
        })
    }),
    Context.add(HealthCheck, healthOf(config, behaviour, observer)),
    Context.add(Readiness, readinessOf(config, behaviour))
  )
