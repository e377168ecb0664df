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
import * as Path from "node:path"
import type { Endpoint } from "./Endpoint.ts"
import type { NotifyUnavailable, Unhealthy } from "./Errors.ts"
import * as HealthCheck from "./HealthCheck.ts"
import * as FolderWatch from "./internal/folderWatch.ts"
import { printable } from "./internal/printable.ts"
import { type Listener, Notify } from "./Notify.ts"

/**
 * A wait for readiness, prepared before the process is launched (`env` is added to its environment, which is how
 * `NOTIFY_SOCKET` gets there) and run after. `ready` succeeds with what told so; meanwhile `observe` is told what was
 * seen, when it has changed. It is interrupted when the instance ends, is stopped or runs out of `startup_timeout`. `waits`: whether an
 * instance has to do something to be ready, so that a run which ends before, with code 0 too, has failed to start.
 *
 * @since 0.1.0
 * @category tags
 */
export class Readiness extends Context.Tag("tenement/layers/Readiness")<Readiness, {
  readonly waits: boolean
  readonly prepare: (endpoint: Endpoint) => Effect.Effect<
    {
      readonly env: Readonly<Record<string, string>>
      readonly ready: (observe: (detail: string) => Effect.Effect<void>) => Effect.Effect<string>
    },
    NotifyUnavailable,
    Scope.Scope
  >
}>() {}

type Wait = Context.Tag.Service<Readiness>

/**
 * Looks until it finds: soon at first, then every half second or so, never in step with others; and at once, and soon
 * again, when something has changed.
 */
const poll = (
  look: Effect.Effect<string, Unhealthy>,
  observe: (detail: string) => Effect.Effect<void>,
  changed: Effect.Effect<void>
) => {
  let seen: string | null = null
  const tell = (detail: string) =>
    Effect.suspend(() => {
      if (detail === seen) return Effect.void
      seen = detail
      return observe(detail)
    })
  const again = (delay: number): Effect.Effect<string> =>
    Effect.catchAll(look, ({ detail }) =>
      tell(detail).pipe(
        Effect.zipRight(Random.nextIntBetween(Math.ceil(0.75 * delay), Math.ceil(1.25 * delay))),
        Effect.flatMap((delay) => Effect.raceFirst(Effect.as(Effect.sleep(delay), false), Effect.as(changed, true))),
        Effect.flatMap((isNews) => again(isNews ? 1 : Math.min(delay * 1.6, 500)))
      ))
  return again(20)
}

/** Whoever is reached by a socket makes it in the folder of its own, a moment before it listens. */
const socketChanges = ({ port, privatePath }: Endpoint) =>
  port === null ? FolderWatch.watch(Path.dirname(privatePath)) : Effect.succeed(Effect.never)

const polling = (look: (endpoint: Endpoint) => Effect.Effect<string, Unhealthy>): Wait => ({
  waits: true,
  prepare: (endpoint) =>
    Effect.succeed({
      env: {},
      ready: (observe) =>
        Effect.scoped(Effect.flatMap(socketChanges(endpoint), (changed) => poll(look(endpoint), observe, changed)))
    })
})

const hear = (
  listener: Listener,
  observe: (detail: string) => Effect.Effect<void>
): Effect.Effect<string> =>
  Effect.flatMap(listener.next, (message) => {
    if (message.get("READY") === "1") return Effect.as(listener.mute, "READY=1")
    const said = message.get("STATUS") ?? (message.has("ERRNO") ? `ERRNO=${message.get("ERRNO")}` : undefined)
    return Effect.zipRight(said === undefined ? Effect.void : observe(printable(said)), hear(listener, observe))
  })

/**
 * What the layers of the same names provide.
 *
 * @internal
 */
export const services = {
  health: ({ probe }: Context.Tag.Service<HealthCheck.HealthCheck>): Wait => polling(probe),
  socket: polling(HealthCheck.connects),
  started: {
    waits: false,
    prepare: () => Effect.succeed({ env: {}, ready: () => Effect.succeed("started") })
  } satisfies Wait,
  notify: ({ listen }: Context.Tag.Service<Notify>): Wait => ({
    waits: true,
    prepare: (endpoint) =>
      Effect.map(listen(endpoint), (listener) => ({
        env: { NOTIFY_SOCKET: listener.path },
        ready: (observe) => Effect.zipRight(observe("waiting for READY=1"), hear(listener, observe))
      }))
  })
}

/**
 * Ready as soon as a probe of the instance's own health check passes.
 *
 * @since 0.1.0
 * @category layers
 */
export const health: Layer.Layer<Readiness, never, HealthCheck.HealthCheck> = Layer.effect(
  Readiness,
  Effect.map(HealthCheck.HealthCheck, services.health)
)

/**
 * Ready as soon as the instance accepts connections, on its port if it has one, else on its socket.
 *
 * @since 0.1.0
 * @category layers
 */
export const socket: Layer.Layer<Readiness> = Layer.succeed(Readiness, services.socket)

/**
 * Ready as soon as it runs.
 *
 * @since 0.1.0
 * @category layers
 */
export const started: Layer.Layer<Readiness> = Layer.succeed(Readiness, services.started)

/**
 * Ready when the instance says so, as programs written for systemd do: `READY=1` to the socket in `NOTIFY_SOCKET`.
 *
 * @since 0.1.0
 * @category layers
 */
export const notify: Layer.Layer<Readiness, never, Notify> = Layer.effect(
  Readiness,
  Effect.map(Notify, services.notify)
)
