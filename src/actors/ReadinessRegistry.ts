/**
 * Who is ready: what instances that depend on others wait for.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import { type InstanceState, isReady, isSettled } from "../domain/InstanceState.ts"
import { type InstanceName, parts, type ServiceName } from "../domain/Names.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Standing = "ready" | "coming" | "asleep" | "down"

/**
 * @since 0.1.0
 * @category models
 */
export type Wake = (by: InstanceName) => Effect.Effect<void>

/**
 * The standing of every instance, by service. A service is ready when all its instances are; one without instances has
 * nothing to wait for.
 *
 * @since 0.1.0
 * @category tags
 */
export class ReadinessRegistry extends Context.Tag("tenement/actors/ReadinessRegistry")<ReadinessRegistry, {
  /** `wake` is kept while it sleeps: whoever depends on it runs it, and says who that is. */
  readonly tell: (instance: InstanceName, state: InstanceState, wake: Wake) => Effect.Effect<void>
  readonly forget: (instance: InstanceName) => Effect.Effect<void>
  /**
   * Waits until all these services are ready. `observe` is told, at first and after each change, which of them are not, and
   * which will not be before somebody starts them. Who of them sleeps is woken.
   */
  readonly awaitReady: (
    by: InstanceName,
    services: ReadonlyArray<ServiceName>,
    observe: (missing: ReadonlyArray<ServiceName>, down: ReadonlyArray<ServiceName>) => Effect.Effect<void>
  ) => Effect.Effect<void>
}>() {}

const standingOf = (state: InstanceState): Standing =>
  isReady(state) ? "ready" : state.phase._tag === "Sleeping" ? "asleep" : isSettled(state) ? "down" : "coming"

/**
 * Nobody is known yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Context.Tag.Service<ReadinessRegistry> => {
  const services = new Map<ServiceName, Map<InstanceName, Standing>>()
  const asleep = new Map<InstanceName, Wake>()
  let changed = Deferred.unsafeMake<void>(FiberId.none)

  const wake = Effect.suspend(() => {
    const waiting = changed
    changed = Deferred.unsafeMake<void>(FiberId.none)
    return Deferred.succeed(waiting, undefined)
  })
  const having = (standing: Standing, among: ReadonlyArray<ServiceName>) =>
    among.filter((service) => [...(services.get(service)?.values() ?? [])].includes(standing))

  return {
    tell: (instance, state, wakeIt) =>
      Effect.suspend(() => {
        const { service } = parts(instance)
        const instances = services.get(service) ?? new Map<InstanceName, Standing>()
        services.set(service, instances)
        const standing = standingOf(state)
        if (instances.get(instance) === standing) return Effect.void
        instances.set(instance, standing)
        if (standing === "asleep") asleep.set(instance, wakeIt)
        else asleep.delete(instance)
        return wake
      }),
    forget: (instance) =>
      Effect.suspend(() => {
        const { service } = parts(instance)
        const instances = services.get(service)
        if (instances?.delete(instance) !== true) return Effect.void
        asleep.delete(instance)
        if (instances.size === 0) services.delete(service)
        return wake
      }),
    awaitReady: (by, among, observe) =>
      Effect.gen(function*() {
        while (true) {
          const next = changed
          const down = having("down", among)
          const missing = among.filter((service) =>
            down.includes(service) || having("coming", [service]).length > 0 || having("asleep", [service]).length > 0
          )
          if (missing.length === 0) return
          // Before somebody has started who is down, they would fall asleep again, and be woken again.
          for (const [instance, wakeIt] of down.length === 0 ? asleep : []) {
            if (among.includes(parts(instance).service)) yield* wakeIt(by)
          }
          yield* observe(missing, down)
          yield* Deferred.await(next)
        }
      })
  }
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ReadinessRegistry> = Layer.sync(ReadinessRegistry, make)
