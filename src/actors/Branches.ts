/**
 * The branches of the tree, services and groups: how one is added, and how it is removed.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Cause } from "../domain/Cause.ts"
import { type GroupConfig, groupOf, type ServiceConfig, type TenementConfig } from "../domain/Config.ts"
import { type GroupName, type InstanceId, type InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import { Store } from "../layers/Store.ts"
import { close } from "./Close.ts"
import * as Group from "./Group.ts"
import * as GroupRecord from "./GroupRecord.ts"
import * as Instance from "./Instance.ts"
import type { Needs } from "./InstanceCommands.ts"
import type { ServicesFor } from "./InstanceParts.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as Service from "./Service.ts"
import type * as Supervisor from "./Supervisor.ts"

/** How many instances of a service, or of a wave, are stopped at once. */
export const stopsAtOnce = 256

interface Owned<A> {
  readonly value: A
  readonly scope: Scope.CloseableScope
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Branches {
  readonly service: (name: ServiceName) => Service.Service | undefined
  readonly services: () => ReadonlyArray<Service.Service>
  readonly group: (name: GroupName) => Group.Group | undefined
  readonly groups: () => ReadonlyArray<Group.Group>
  /** The group that a service belongs to. */
  readonly groupOf: (service: ServiceName) => Group.Group | undefined
  /** With the instances that the file lists, not started yet, and those that an earlier supervisor had. */
  readonly addService: (service: ServiceConfig, inheritance?: InstanceRecord.Inheritance) => Effect.Effect<void>
  /** Stops its instances first. */
  readonly removeService: (name: ServiceName, cause: Cause) => Effect.Effect<void>
  /** Stops it first. */
  readonly removeInstance: (service: Service.Service, id: InstanceId, cause: Cause) => Effect.Effect<void>
  readonly addGroup: (group: GroupConfig, options: { readonly startMembers: boolean }) => Effect.Effect<void>
  /** Its members are left as they are. */
  readonly removeGroup: (name: GroupName) => Effect.Effect<void>
}

/**
 * No branches yet. They live in the scope, and run under the supervisor.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly supervisor: Supervisor.Supervisor
  /** The configuration of this moment. */
  readonly config: () => TenementConfig
  readonly services: ServicesFor
}) {
  const scope = yield* Effect.scope
  const context = yield* Effect.context<Needs>()
  const services = new Map<ServiceName, Owned<Service.Service>>()
  const groups = new Map<GroupName, Owned<Group.Group>>()

  const addBranch = <A>(
    id: string,
    make: Effect.Effect<A, never, Needs | Scope.Scope>,
    run: (made: A) => Effect.Effect<void, unknown>
  ) =>
    Effect.gen(function*() {
      const own = yield* Scope.fork(scope, { _tag: "Sequential" })
      const value = yield* make.pipe(Scope.extend(own), Effect.provide(context))
      yield* options.supervisor.add({ id, start: Effect.succeed(run(value)) })
      return { value, scope: own }
    })

  const removeBranch = (id: string, { scope: own }: Owned<unknown>) =>
    Effect.zipRight(options.supervisor.remove(id), close(own))

  const groupOfService = (service: ServiceName) => {
    const name = groupOf(options.config(), service)?.name
    return name === undefined ? undefined : groups.get(name)?.value
  }

  const tellGroup = (instance: InstanceName, delayMs: number) =>
    Effect.suspend(() => groupOfService(parts(instance).service)?.memberFailed(instance, delayMs) ?? Effect.void)

  const removeInstance: Branches["removeInstance"] = (service, id, cause) =>
    Effect.gen(function*() {
      const instance = yield* service.get(id)
      if (Option.isNone(instance)) return
      yield* Instance.end(instance.value, cause)
      yield* service.remove(id)
    })

  const branches: Branches = {
    service: (name) => services.get(name)?.value,
    services: () => [...services.values()].map(({ value }) => value),
    group: (name) => groups.get(name)?.value,
    groups: () => [...groups.values()].map(({ value }) => value),
    groupOf: groupOfService,
    addService: (config, inheritance = InstanceRecord.nothing) =>
      Effect.gen(function*() {
        const { settings } = options.config()
        const group = groupOf(options.config(), config.name)?.name ?? null
        const owned = yield* addBranch(
          config.name,
          Service.make({ config, settings, group, services: options.services, tellGroup }),
          ({ supervisor }) => supervisor.run
        )
        services.set(config.name, owned)
        const { inherited, listed } = InstanceRecord.of(inheritance, config)
        for (const [id, saved] of inherited) yield* owned.value.add(id, saved)
        for (const id of listed) if (!inherited.has(id)) yield* owned.value.add(id)
      }),
    removeService: (name, cause) =>
      Effect.gen(function*() {
        const owned = services.get(name)
        if (owned === undefined) return
        const instances = yield* owned.value.instances
        yield* Effect.forEach(instances, (instance) => removeInstance(owned.value, parts(instance.name).id, cause), {
          concurrency: stopsAtOnce,
          discard: true
        })
        services.delete(name)
        yield* removeBranch(name, owned)
      }),
    removeInstance,
    addGroup: (config, { startMembers }) =>
      Effect.gen(function*() {
        const members = config.services.flatMap((name) => services.get(name)?.value ?? [])
        const owned = yield* addBranch(
          `group ${config.name}`,
          Group.make({ config, services: members, startMembers }),
          ({ run }) => run
        )
        groups.set(config.name, owned)
      }),
    removeGroup: (name) =>
      Effect.gen(function*() {
        const owned = groups.get(name)
        if (owned === undefined) return
        groups.delete(name)
        yield* owned.value.release
        yield* removeBranch(`group ${name}`, owned)
        yield* GroupRecord.write(Context.get(context, Store), name, [])
      })
  }
  return branches
})
