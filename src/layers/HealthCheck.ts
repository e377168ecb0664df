/**
 * Asks an instance whether it is well.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ExitStatus } from "../domain/Exit.ts"
import { describeStatus } from "../domain/Exit.ts"
import * as Endpoint from "./Endpoint.ts"
import { Unhealthy } from "./Errors.ts"
import { connect } from "./internal/connect.ts"
import { get } from "./internal/httpProbe.ts"
import { Launcher, type LaunchSpec } from "./Launcher.ts"

/**
 * One probe. Succeeds with what was seen (`GET /health: 200`), fails with why the instance is not healthy, never
 * outlives its deadline. The actor keeps at most one in flight.
 *
 * @since 0.1.0
 * @category tags
 */
export class HealthCheck extends Context.Tag("tenement/layers/HealthCheck")<HealthCheck, {
  readonly probe: (endpoint: Endpoint.Endpoint) => Effect.Effect<string, Unhealthy>
}>() {}

const unhealthy = (detail: string) => new Unhealthy({ detail })

const within = (timeoutMs: number) => <R>(probe: Effect.Effect<string, Unhealthy, R>) =>
  Effect.timeoutFail(probe, {
    duration: timeoutMs,
    onTimeout: () => unhealthy(`no answer within ${timeoutMs / 1000} s`)
  })

/**
 * Any probe at all. One that takes longer than `timeoutMs` (5 s if not given) is interrupted and counts as failed.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as HealthCheck from "tenement/HealthCheck"
 *
 * declare const ping: (path: string) => Effect.Effect<"PONG", HealthCheck.Unhealthy>
 *
 * export const askRedis = HealthCheck.make((endpoint) => ping(endpoint.privatePath))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const make = <R = never>(
  probe: (endpoint: Endpoint.Endpoint) => Effect.Effect<string, Unhealthy, R>,
  options: { readonly timeoutMs: number } = { timeoutMs: 5000 }
): Layer.Layer<HealthCheck, never, R> =>
  Layer.effect(
    HealthCheck,
    Effect.map(Effect.context<R>(), (context) => ({
      probe: (endpoint) => probe(endpoint).pipe(within(options.timeoutMs), Effect.provide(context))
    }))
  )

/**
 * `GET path` over the instance's socket or port: 2xx and 3xx are healthy, redirects are not followed. The deadline is
 * one for everything: connecting, the head of the answer, and its body as far as it is read.
 *
 * @since 0.1.0
 * @category layers
 */
export const http = (options: { readonly path: string; readonly timeoutMs: number }): Layer.Layer<HealthCheck> =>
  make(
    (endpoint) => Effect.mapError(Effect.suspend(() => get(Endpoint.address(endpoint), options.path)), unhealthy),
    options
  )

/**
 * Connects to the instance, on its port if it has one, else on its socket, and hangs up.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connects = (endpoint: Endpoint.Endpoint): Effect.Effect<string, Unhealthy> =>
  Effect.suspend(() => {
    const address = Endpoint.address(endpoint)
    const shown = Endpoint.show(address)
    return connect(address).pipe(
      Effect.as(`connected to ${shown}`),
      Effect.mapError((code) => unhealthy(`connect ${code} ${shown}`))
    )
  })

/**
 * Healthy as long as the instance accepts connections, on its port if it has one, else on its socket.
 *
 * @since 0.1.0
 * @category layers
 */
export const socket = (options: { readonly timeoutMs: number }): Layer.Layer<HealthCheck> => make(connects, options)

const verdict = (word: string, status: ExitStatus): Effect.Effect<string, Unhealthy> =>
  status.code === 0
    ? Effect.succeed(`${word}: exit code 0`)
    : Effect.fail(unhealthy(`${word}: ${describeStatus(status)}`))

/**
 * Runs a program: exit code 0 is healthy. It finds the instance through `SOCKET_PATH` and `PORT` in its environment,
 * and is killed with all that it forked at the deadline.
 *
 * @since 0.1.0
 * @category layers
 */
export const exec = (
  options: LaunchSpec & { readonly timeoutMs: number }
): Layer.Layer<HealthCheck, never, Launcher> =>
  make((endpoint) =>
    Effect.gen(function*() {
      const launcher = yield* Launcher
      const { publicPath, port } = endpoint
      const address = Endpoint.address(endpoint)
      const process = yield* launcher.launch({
        ...options,
        env: {
          ...options.env,
          SOCKET_PATH: "path" in address ? address.path : publicPath,
          ...(port === null ? {} : { PORT: String(port) })
        }
      })
      return yield* verdict(options.argv[0] ?? "", yield* process.exited)
    }).pipe(
      Effect.catchTag("LaunchFailed", (error) => Effect.fail(unhealthy(error.message))),
      Effect.scoped
    ), options)
