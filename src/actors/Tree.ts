/**
 * The supervision tree itself: which supervisors and actors there are, and how they come and go.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Cause } from "../domain/Cause.ts"
import { type GroupConfig, groupOf, type ServiceConfig, type TenementConfig } from "../domain/Config.ts"
import type { ConfigDiff } from "../domain/ConfigDiff.ts"
import * as Dependencies from "../domain/Dependencies.ts"
import { type GroupName, type InstanceId, type InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import type { TreeNode } from "../domain/Views.ts"
import { close } from "./Close.ts"
import * as Group from "./Group.ts"
import type * as Instance from "./Instance.ts"
import type { LayersFor } from "./InstanceParts.ts"
import * as InstanceViews from "./InstanceViews.ts"
import * as Service from "./Service.ts"
import * as Supervisor from "./Supervisor.ts"

/** How many instances of a wave are stopped at once. */
const stopsAtOnce = 256

const unlimited = { max: Infinity, windowMs: 0 }

interface Owned<A> {
  readonly value: A
  readonly scope: Scope.CloseableScope
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Tree {
  readonly config: Effect.Effect<TenementConfig>
  readonly instances: Effect.Effect<ReadonlyArray<Instance.Instance>>
  readonly find: (name: InstanceName) => Effect.Effect<Option.Option<Instance.Instance>>
  /** The instance of that name, made if there is none; `None` if the file has no such service. */
  readonly obtain: (service: ServiceName, id: InstanceId) => Effect.Effect<Option.Option<Instance.Instance>>
  readonly forget: (name: InstanceName) => Effect.Effect<void>
  /** A person started a member of a group that gave up. */
  readonly lift: (service: ServiceName) => Effect.Effect<void>
  /** Starts everything that the file lists, in dependency order. */
  readonly boot: Effect.Effect<void>
  /** Stops everything, in reverse dependency order. */
  readonly shutdown: Effect.Effect<void>
  /** Goes over to another configuration. What it gives starts and restarts instances, and waits until they settled. */
  readonly adopt: (next: TenementConfig, diff: ConfigDiff) => Effect.Effect<Effect.Effect<void>>
  /** Another actor under `system`. */
  readonly attach: (actor: Supervisor.ChildSpec) => Effect.Effect<void>
  readonly print: Effect.Effect<TreeNode>
}

/**
 * Makes the tree, empty, in the scope. `system` are the supervisor's own actors besides the services.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Tree.make")(function*(options: {
  readonly config: TenementConfig
  readonly layers: LayersFor
}) {
  // Made before the supervisors, so closed after them: nobody is left to run what is taken away.
  const branches = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  const context = yield* Effect.context<Instance.Needs>()
  const services = new Map<ServiceName, Owned<Service.Service>>()
  const groups = new Map<GroupName, Owned<Group.Group>>()
  let config = options.config
  let goingDown = false

  const root = yield* Supervisor.make({ name: "root", strategy: "one-for-one", intensity: unlimited })
  const system = yield* Supervisor.make({ name: "system", strategy: "one-for-one", intensity: unlimited })
  const trunk = yield* Supervisor.make({ name: "services", strategy: "one-for-one", intensity: unlimited })
  for (const branch of [system, trunk]) yield* root.add({ id: branch.name, start: Effect.succeed(branch.run) })
  // Above the root is nobody who could start it again: a defect in it is logged, and it goes on.
  yield* root.run.pipe(
    Effect.catchAllCause((cause) =>
      Effect.delay(Effect.logError("the root supervisor had a defect", cause), "1 second")
    ),
    Effect.forever,
    Effect.interruptible,
    Effect.forkScoped
  )

  const groupNameOf = (within: TenementConfig, service: ServiceName) => groupOf(within, service)?.name ?? null

  /** A branch of the tree: made in a scope of its own, and run under the trunk. */
  const grow = <A, R>(id: string, make: Effect.Effect<A, never, R>, run: (made: A) => Effect.Effect<void, unknown>) =>
    Effect.gen(function*() {
      const own = yield* Scope.fork(branches, { _tag: "Sequential" })
      const value = yield* Scope.extend(make, own)
      yield* trunk.add({ id, start: Effect.succeed(run(value)) })
      return { value, scope: own }
    })
  const fell = (id: string, { scope: own }: Owned<unknown>) => Effect.zipRight(trunk.remove(id), close(own))

  const addService = (service: ServiceConfig) =>
    Effect.gen(function*() {
      const owned = yield* grow(
        service.name,
        Service.make({
          config: service,
          settings: config.settings,
          group: groupNameOf(config, service.name),
          layers: options.layers,
          tellGroup
        }),
        (made) => made.supervisor.run
      )
      services.set(service.name, owned)
      for (const id of service.instances) yield* owned.value.add(id)
    }).pipe(Effect.provide(context))

  const addGroup = (group: GroupConfig, startMembers: boolean) =>
    Effect.gen(function*() {
      const members = group.services.flatMap((name) => {
        const owned = services.get(name)
        return owned === undefined ? [] : [owned.value]
      })
      const owned = yield* grow(
        `group ${group.name}`,
        Group.make({ config: group, services: members, startMembers }),
        (made) => made.run
      )
      groups.set(group.name, owned)
    }).pipe(Effect.provide(context))

  const removeGroup = (name: GroupName, owned: Owned<Group.Group>) =>
    Effect.gen(function*() {
      groups.delete(name)
      yield* owned.value.letGo
      yield* fell(`group ${name}`, owned)
    })

  const groupOfService = (service: ServiceName) => {
    const name = groupNameOf(config, service)
    return name === null ? undefined : groups.get(name)?.value
  }

  const tellGroup = (instance: InstanceName, delayMs: number): Effect.Effect<void> =>
    Effect.suspend(() => groupOfService(parts(instance).service)?.memberFailed(instance, delayMs) ?? Effect.void)

  const waves = () =>
    Dependencies.waves(new Map([...config.services].map(([name, { dependsOn }]) => [name, dependsOn])))

  const instancesOf = (name: ServiceName) => services.get(name)?.value.instances ?? Effect.succeed([])

  const stopAndForget = (service: Service.Service, id: InstanceId, cause: Cause) =>
    Effect.gen(function*() {
      const instance = Option.getOrUndefined(yield* service.get(id))
      if (instance === undefined) return
      // What cannot be stopped politely is killed with its scope.
      yield* Effect.ignore(instance.ask("Stop", cause))
      yield* service.remove(id)
    })

  const tree: Tree = {
    config: Effect.sync(() => config),
    instances: Effect.suspend(() =>
      Effect.map(Effect.forEach([...services.values()], ({ value }) => value.instances), (all) => all.flat())
    ),
    find: (name) =>
      Effect.suspend(() =>
        services.get(parts(name).service)?.value.get(parts(name).id) ?? Effect.succeed(Option.none())
      ),
    obtain: (service, id) =>
      Effect.gen(function*() {
        const owned = services.get(service)
        if (owned === undefined) return Option.none()
        const found = yield* owned.value.get(id)
        return Option.isSome(found) ? found : Option.some(yield* owned.value.add(id))
      }),
    forget: (name) =>
      Effect.suspend(() => services.get(parts(name).service)?.value.remove(parts(name).id) ?? Effect.void),
    lift: (service) => Effect.suspend(() => groupOfService(service)?.lift ?? Effect.void),

    boot: Effect.gen(function*() {
      for (const service of config.services.values()) yield* addService(service)
      for (const group of config.groups.values()) yield* addGroup(group, true)
      for (const name of waves().flat()) {
        if (groupNameOf(config, name) !== null) continue
        for (const instance of yield* instancesOf(name)) yield* instance.order("Start", { _tag: "Boot" })
      }
    }),

    shutdown: Effect.gen(function*() {
      goingDown = true
      for (const { value } of groups.values()) yield* value.letGo
      for (const wave of waves().toReversed()) {
        const instances = (yield* Effect.forEach(wave, instancesOf)).flat()
        yield* Effect.forEach(instances, (instance) => Effect.ignore(instance.ask("Stop", { _tag: "Shutdown" })), {
          concurrency: stopsAtOnce,
          discard: true
        })
      }
    }),

    adopt: (next, diff) =>
      Effect.gen(function*() {
        const affected = diff.groups.map(({ group }) => group)
        for (const name of affected) {
          const owned = groups.get(name)
          if (owned !== undefined) yield* removeGroup(name, owned)
        }
        config = next
        const waits: Array<Effect.Effect<void>> = []
        for (const change of diff.services) {
          const cause: Cause = { _tag: "Reload", keys: change.keys.map(({ key }) => key) }
          const owned = services.get(change.service)
          const wanted = next.services.get(change.service)
          if (change.kind === "removed" && owned !== undefined) {
            const ids = (yield* owned.value.instances).map(({ name }) => parts(name).id)
            yield* Effect.forEach(ids, (id) => stopAndForget(owned.value, id, cause), {
              concurrency: stopsAtOnce,
              discard: true
            })
            services.delete(change.service)
            yield* fell(change.service, owned)
          } else if (change.kind === "added" && wanted !== undefined) {
            yield* addService(wanted)
            for (const instance of yield* instancesOf(change.service)) {
              waits.push(Effect.ignore(instance.ask("Start", cause)))
            }
          } else if (owned !== undefined && wanted !== undefined) {
            for (const id of change.removedInstances) yield* stopAndForget(owned.value, id, cause)
            const before = yield* owned.value.instances
            yield* owned.value.reconfigure(wanted, groupNameOf(next, change.service))
            for (const id of change.addedInstances) {
              const instance = Option.getOrUndefined(yield* tree.obtain(change.service, id))
              if (instance !== undefined) waits.push(Effect.ignore(instance.ask("Start", cause)))
            }
            if (change.kind !== "restart") continue
            for (const instance of before) {
              const { state } = yield* instance.snapshot
              // What is stopped, done or given up stays so; it will run by the new rules when it is started.
              const isUp = !["Stopped", "Completed", "Failed"].includes(state.phase._tag)
              if (isUp) waits.push(Effect.ignore(instance.ask("Restart", cause)))
            }
          }
        }
        for (const { group } of diff.groups) {
          const wanted = next.groups.get(group)
          if (wanted !== undefined) yield* addGroup(wanted, false)
        }
        if (diff.groups.length > 0) {
          for (const { value } of services.values()) {
            const group = groupNameOf(next, value.name)
            yield* value.reconfigure(yield* value.config, group)
            if (group !== null) continue
            for (const instance of yield* value.instances) {
              // What its group had stopped, or was to start again, and never will.
              const { state: { phase, wanted } } = yield* instance.snapshot
              const isLeft = wanted === "running" && (phase._tag === "Stopped" || phase._tag === "Backoff")
              if (isLeft) waits.push(Effect.ignore(instance.ask("Start", { _tag: "Reload", keys: ["group"] })))
            }
          }
        }
        return Effect.forEach(waits, (wait) => Effect.suspend(() => goingDown ? Effect.void : wait), {
          concurrency: stopsAtOnce,
          discard: true
        })
      }),

    attach: system.add,

    print: Effect.gen(function*() {
      const serviceNode = (name: ServiceName) =>
        Effect.gen(function*() {
          const instances = yield* instancesOf(name)
          const children = yield* Effect.forEach(instances, (instance) =>
            Effect.map(instance.snapshot, InstanceViews.node))
          const detail = `${instances.length} instance${instances.length === 1 ? "" : "s"}`
          return { name, kind: "supervisor", state: "one-for-one", detail, children } satisfies TreeNode
        })
      const children: Array<TreeNode> = []
      for (const name of config.services.keys()) {
        if (groupNameOf(config, name) === null) children.push(yield* serviceNode(name))
      }
      for (const group of config.groups.values()) {
        const gaveUp = yield* groups.get(group.name)?.value.gaveUp ?? Effect.succeed(false)
        children.push({
          name: `group ${group.name}`,
          kind: "supervisor",
          state: gaveUp ? "failed" : group.strategy,
          detail: InstanceViews.groupDetail(group, gaveUp),
          children: yield* Effect.forEach(group.services, serviceNode)
        })
      }
      const actors = (yield* system.children).map(({ id, restarts, up }): TreeNode => ({
        name: id,
        kind: "actor",
        state: up ? "running" : "down",
        detail: restarts === 0 ? "" : `${restarts} restarts`,
        children: []
      }))
      const branch = (name: string, detail: string, below: ReadonlyArray<TreeNode>): TreeNode => ({
        name,
        kind: "supervisor",
        state: "one-for-one",
        detail,
        children: below
      })
      const count = `${config.services.size} service${config.services.size === 1 ? "" : "s"}`
      return branch(root.name, "", [branch(system.name, "", actors), branch(trunk.name, count, children)])
    })
  }
  return tree
})
