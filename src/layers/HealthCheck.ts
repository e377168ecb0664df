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
 * outlives its deadline. The actor keeps at most one in flight. `watches`: whether ready instances are probed at their
 * interval, and restarted when they fail too often.
 *
 * @since 0.1.0
 * @category tags
 */
export class HealthCheck extends Context.Tag("tenement/layers/HealthCheck")<HealthCheck, {
  readonly watches: boolean
  readonly probe: (endpoint: Endpoint.Endpoint) => Effect.Effect<string, Unhealthy>
}>() {}

type Service = Context.Tag.Service<HealthCheck>

/** The longest that a probe takes where nobody says. */
const defaultTimeoutMs = 5000

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
 * import type * as Effect from "effect/Effect"
 * import { HealthCheck, type Unhealthy } from "tenement"
 *
 * declare const ping: (path: string) => Effect.Effect<"PONG", Unhealthy>
 *
 * export const askRedis = HealthCheck.make((endpoint) => ping(endpoint.privatePath))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const make = <R = never>(
  probe: (endpoint: Endpoint.Endpoint) => Effect.Effect<string, Unhealthy, R>,
  options: { readonly timeoutMs: number } = { timeoutMs: defaultTimeoutMs }
): Layer.Layer<HealthCheck, never, R> =>
  Layer.effect(
    HealthCheck,
    Effect.map(Effect.context<R>(), (context) => ({
      watches: true,
      probe: (endpoint) => probe(endpoint).pipe(within(options.timeoutMs), Effect.provide(context))
    }))
  )

/**
 * Connects to the instance, on its port if it has one, else on its socket, and hangs up.
 *
 * @internal
 */
export const connects = (endpoint: Endpoint.Endpoint): Effect.Effect<string, Unhealthy> =>
  Effect.flatMap(Endpoint.address(endpoint), (address) => {
    const shown = Endpoint.show(address)
    return connect(address).pipe(
      Effect.as(`connected to ${shown}`),
      Effect.mapError((code) => unhealthy(`connect ${code} ${shown}`))
    )
  })

/**
 * What the layers of the same names provide.
 *
 * @internal
 */
export const services = {
  http: ({ path, timeoutMs }: { readonly path: string; readonly timeoutMs: number }): Service => ({
    watches: true,
    probe: (endpoint) =>
      Endpoint.address(endpoint).pipe(
        Effect.flatMap((address) => Effect.mapError(get(address, path), unhealthy)),
        within(timeoutMs)
      )
  }),
  socket: ({ timeoutMs }: { readonly timeoutMs: number }): Service => ({
    watches: true,
    probe: (endpoint) => within(timeoutMs)(connects(endpoint))
  }),
  none: {
    watches: false,
    probe: (endpoint) => within(defaultTimeoutMs)(connects(endpoint))
  } satisfies Service
}

/**
 * `GET path` over the instance's socket or port: 2xx and 3xx are healthy, redirects are not followed. The deadline is
 * one for everything: connecting, the head of the answer, and its body as far as it is read.
 *
 * @since 0.1.0
 * @category layers
 */
export const http = (options: { readonly path: string; readonly timeoutMs: number }): Layer.Layer<HealthCheck> =>
  Layer.succeed(HealthCheck, services.http(options))

/**
 * Healthy as long as the instance accepts connections, on its port if it has one, else on its socket.
 *
 * @since 0.1.0
 * @category layers
 */
export const socket = (options: { readonly timeoutMs: number }): Layer.Layer<HealthCheck> =>
  Layer.succeed(HealthCheck, services.socket(options))

/**
 * No health checks: an instance is well as long as it runs.
 *
 * @since 0.1.0
 * @category layers
 */
export const none: Layer.Layer<HealthCheck> = Layer.succeed(HealthCheck, services.none)

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
      const address = yield* Endpoint.address(endpoint)
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
