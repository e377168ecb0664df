/**
 * Tells when an instance can be used.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Endpoint } from "./Endpoint.ts"
import type { Unhealthy } from "./Errors.ts"
import * as HealthCheck from "./HealthCheck.ts"

/**
 * A wait for readiness, prepared before the process is launched (`env` is added to its environment, which is how
 * `NOTIFY_SOCKET` gets there) and run after. `ready` succeeds with what told so; meanwhile `observe` is told what each
 * look saw. It is interrupted when the instance ends, is stopped or runs out of `startup_timeout`.
 *
 * @since 0.1.0
 * @category tags
 */
export class Readiness extends Context.Tag("tenement/layers/Readiness")<Readiness, {
  readonly prepare: (endpoint: Endpoint) => Effect.Effect<
    {
      readonly env: Readonly<Record<string, string>>
      readonly ready: (observe: (detail: string) => Effect.Effect<void>) => Effect.Effect<string>
    },
    never,
    Scope.Scope
  >
}>() {}

type Wait = Context.Tag.Service<Readiness>

/** Looks until it finds: soon at first, then every half second or so, never in step with others. */
const poll = (look: Effect.Effect<string, Unhealthy>, observe: (detail: string) => Effect.Effect<void>) => {
  const again = (delay: number): Effect.Effect<string> =>
    Effect.catchAll(look, ({ detail }) =>
      observe(detail).pipe(
        Effect.zipRight(Random.nextRange(0.75 * delay, 1.25 * delay)),
        Effect.flatMap(Effect.sleep),
        Effect.zipRight(Effect.suspend(() => again(Math.min(delay * 1.6, 500))))
      ))
  return again(20)
}

const polling = (look: (endpoint: Endpoint) => Effect.Effect<string, Unhealthy>): Wait => ({
  prepare: (endpoint) => Effect.succeed({ env: {}, ready: (observe) => poll(look(endpoint), observe) })
})

/**
 * Ready as soon as a probe passes.
 *
 * @since 0.1.0
 * @category layers
 */
export const health: Layer.Layer<Readiness, never, HealthCheck.HealthCheck> = Layer.effect(
  Readiness,
  Effect.map(HealthCheck.HealthCheck, ({ probe }) => polling(probe))
)

/**
 * Ready as soon as the instance accepts connections, on its port if it has one, else on its socket.
 *
 * @since 0.1.0
 * @category layers
 */
export const socket: Layer.Layer<Readiness> = Layer.succeed(Readiness, polling(HealthCheck.connects))

/**
 * Ready as soon as it runs.
 *
 * @since 0.1.0
 * @category layers
 */
export const started: Layer.Layer<Readiness> = Layer.succeed(Readiness, {
  prepare: () => Effect.succeed({ env: {}, ready: () => Effect.succeed("started") })
})
