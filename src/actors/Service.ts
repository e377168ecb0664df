/**
 * The supervisor of one service's instances: they come and go, and what happens to one is no concern of the others.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { elapsed, type Instant } from "../domain/Instant.ts"
import { unlimited } from "../domain/Intensity.ts"
import { type GroupName, type InstanceId, type InstanceName, instanceName, type ServiceName } from "../domain/Names.ts"
import type { Saved } from "../domain/Saved.ts"
import { Events } from "../layers/Events.ts"
import { Metrics } from "../layers/Metrics.ts"
import type { Backend } from "./Backend.ts"
import { close } from "./Close.ts"
import type { ActorLost } from "./Errors.ts"
import * as Guard from "./Guard.ts"
import * as Instance from "./Instance.ts"
import type { Needs } from "./InstanceCommands.ts"
import type { ServicesFor } from "./InstanceParts.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import { now } from "./Now.ts"
import * as Supervisor from "./Supervisor.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly config: ServiceConfig
  readonly settings: Settings
  readonly group: GroupName | null
  readonly services: ServicesFor
  readonly tellGroup: (instance: InstanceName, delayMs: number) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly name: ServiceName
  readonly config: Effect.Effect<ServiceConfig>
  readonly group: Effect.Effect<GroupName | null>
  readonly instances: Effect.Effect<ReadonlyArray<Instance.Instance>>
  readonly get: (id: InstanceId) => Effect.Effect<Option.Option<Instance.Instance>>
  /** Its instances as requests see them, or the one of that id. */
  readonly backends: (id: InstanceId | null) => ReadonlyArray<Backend>
  /** Makes an instance that is not started yet, or one as it was written down. There must be none of that id. */
  readonly add: (id: InstanceId, saved?: Saved) => Effect.Effect<Instance.Instance>
  /** Ends the instance's actor and forgets it; its process tree is killed if there is one. */
  readonly remove: (id: InstanceId) => Effect.Effect<void>
  /** New rules for all instances, from now on. Tells of those that could not take them. */
  readonly reconfigure: (
    config: ServiceConfig,
    group: GroupName | null
  ) => Effect.Effect<ReadonlyArray<ActorLost>>
  readonly supervisor: Supervisor.Supervisor
}

const longestPauseMs = 1000

/**
 * An actor that has one defect after another pauses before each run, so that it does not keep the machine busy. It does
 * so by itself: neither its siblings nor its supervisor wait for it.
 */
const pacing = () => {
  let inARow = 0
  let begun: Instant | null = null
  const pause = Effect.gen(function*() {
    const at = yield* now
    if (begun !== null) {
      inARow = elapsed(begun, at) > 10 * longestPauseMs ? 0 : inARow + 1
      yield* Effect.sleep(Math.min(2 ** inARow, longestPauseMs))
    }
    begun = yield* now
  })
  return (run: Effect.Effect<void>) => Effect.zipRight(pause, run)
}

/**
 * Makes a service without instances, in the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const events = yield* Events
  const metrics = yield* Metrics
  // Made before the supervisor, so closed after it: no actor is left to miss its mailbox.
  const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  const context = yield* Effect.context<Needs>()
  const { name } = options.config
  let { config, group } = options
  const instances = new Map<
    InstanceId,
    { readonly instance: Instance.Instance; readonly scope: Scope.CloseableScope }
  >()

  const supervisor = yield* Supervisor.make({
    name,
    strategy: "one-for-one",
    intensity: unlimited,
    onFailure: (id, cause) =>
      Effect.zipRight(
        Effect.logError("an actor had a defect and is restarted; its process goes on", cause),
        events.publish({
          _tag: "Notice",
          level: "error",
          subject: id,
          message: `its actor had a defect and was restarted; the process went on (${Guard.firstLine(cause)})`
        })
      )
  })

  const service: Service = {
    name,
    config: Effect.sync(() => config),
    group: Effect.sync(() => group),
    instances: Effect.sync(() => [...instances.values()].map(({ instance }) => instance)),
    get: (id) => Effect.sync(() => Option.fromNullable(instances.get(id)?.instance)),
    backends: (id) => {
      const backends: Array<Backend> = []
      for (const [own, { instance }] of instances) if (id === null || own === id) backends.push(instance.backend())
      return backends
    },
    add: (id, saved) =>
      Effect.gen(function*() {
        yield* InstanceRecord.unremove(instanceName(name, id))
        const own = yield* Scope.fork(scope, { _tag: "Sequential" })
        const instance = yield* Instance.make(
          {
            name: instanceName(name, id),
            config,
            settings: options.settings,
            group,
            services: options.services,
            saved: saved ?? null,
            tellGroup: (delayMs) => options.tellGroup(instanceName(name, id), delayMs)
          },
          context,
          own
        ).pipe(Effect.onError(() => close(own)))
        instances.set(id, { instance, scope: own })
        yield* supervisor.add({ id: instance.name, start: Effect.map(instance.start, pacing()) })
        return instance
      }).pipe(Effect.uninterruptible, Effect.provide(context)),
    remove: (id) =>
      Effect.gen(function*() {
        const found = instances.get(id)
        if (found === undefined) return
        instances.delete(id)
        yield* supervisor.remove(found.instance.name)
        yield* close(found.scope)
        yield* InstanceRecord.forget(found.instance.name)
        yield* Effect.all([events.forget(found.instance.name), metrics.forget(found.instance.name)], { discard: true })
      }).pipe(Effect.uninterruptible, Effect.provide(context)),
    reconfigure: (nextConfig, nextGroup) =>
      Effect.suspend(() => {
        config = nextConfig
        group = nextGroup
        const all = [...instances.values()]
        return Effect.map(
          Effect.forEach(all, ({ instance }) => Effect.either(instance.reconfigure(nextConfig, nextGroup))),
          Arr.getLefts
        )
      }),
    supervisor
  }
  return service
})
