/**
 * The supervision tree itself: which supervisors and actors there are, and how they come up and go down.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { groupOf, type TenementConfig } from "../domain/Config.ts"
import type { ConfigDiff } from "../domain/ConfigDiff.ts"
import * as Dependencies from "../domain/Dependencies.ts"
import { unlimited } from "../domain/Intensity.ts"
import { type GroupName, type InstanceId, type InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import type { TreeNode } from "../domain/Views.ts"
import { bounded } from "../internal/bounded.ts"
import * as Leftovers from "../layers/Leftovers.ts"
import { Sockets } from "../layers/Sockets.ts"
import { adopt } from "./Adopt.ts"
import * as Branches from "./Branches.ts"
import * as Instance from "./Instance.ts"
import type { Needs } from "./InstanceCommands.ts"
import type { ServicesFor } from "./InstanceParts.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as InstanceViews from "./InstanceViews.ts"
import * as Orphans from "./Orphans.ts"
import * as Supervisor from "./Supervisor.ts"
import * as Takeover from "./Takeover.ts"
import type { Traffic } from "./Traffic.ts"

/** What the end of those takes that an earlier supervisor has left and nobody wants, a kill included. */
const orphanTimeMs = 20_000

/** What an actor may take to leave its instance: a launch that it is at comes to its end. */
const leaveTimeMs = 15_000

/** What a kill may take before a shutdown goes on without it. */
const killTimeMs = 10_000

/**
 * @since 0.1.0
 * @category models
 */
export interface Tree {
  readonly config: Effect.Effect<TenementConfig>
  readonly instances: Effect.Effect<ReadonlyArray<Instance.Instance>>
  readonly instancesOf: (service: ServiceName) => Effect.Effect<ReadonlyArray<Instance.Instance>>
  readonly find: (name: InstanceName) => Effect.Effect<Option.Option<Instance.Instance>>
  /** The instance of that name, made if there is none; `None` if the file has no such service. */
  readonly obtain: (service: ServiceName, id: InstanceId) => Effect.Effect<Option.Option<Instance.Instance>>
  readonly forget: (name: InstanceName) => Effect.Effect<void>
  /** A person started a member of a group that gave up. */
  readonly resetFailed: (service: ServiceName) => Effect.Effect<void>
  /** Starts everything that the file lists, in dependency order. Once. */
  readonly boot: Effect.Effect<void>
  /** Stops everything, in reverse dependency order. Gives who could not be stopped. */
  readonly shutdown: Effect.Effect<ReadonlyArray<InstanceName>>
  /** Another supervisor takes over: everything is written down as it is, and nothing is done any more. */
  readonly leave: Effect.Effect<void>
  /**
   * Goes over to another configuration, and starts what it brings, unless all is going down by then. What it gives waits
   * until that has settled, and tells what went wrong.
   */
  readonly adopt: (
    next: TenementConfig,
    diff: ConfigDiff,
    isGoingDown: Effect.Effect<boolean>
  ) => Effect.Effect<Effect.Effect<ReadonlyArray<string>>>
  readonly traffic: Pick<Traffic, "config" | "backends">
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
  readonly services: ServicesFor
}) {
  // Made before the supervisors, so closed after them: nobody is left to run what is taken away.
  const above = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  let config = options.config
  let isUp = false

  const root = yield* Supervisor.make({ name: "root", strategy: "one-for-one", intensity: unlimited })
  const system = yield* Supervisor.make({ name: "system", strategy: "one-for-one", intensity: unlimited })
  const services = yield* Supervisor.make({ name: "services", strategy: "one-for-one", intensity: unlimited })
  for (const branch of [system, services]) yield* root.add({ id: branch.name, start: Effect.succeed(branch.run) })
  // Above the root is nobody who could start it again: a defect in it is logged, and it goes on.
  yield* root.run.pipe(
    Effect.catchAllCause((cause) =>
      Effect.delay(Effect.logError("the root supervisor had a defect", cause), "1 second")
    ),
    Effect.forever,
    Effect.interruptible,
    Effect.forkScoped
  )
  const branches = yield* Branches.make({ supervisor: services, config: () => config, services: options.services })
    .pipe(
      Scope.extend(above)
    )

  const context = yield* Effect.context<Needs>()

  const orphans: Array<Fiber.Fiber<void>> = []

  /** Who gets the name of one that is being ended begins after its end. */
  const orphansGone = Effect.suspend(() => bounded(Fiber.awaitAll(orphans), orphanTimeMs))

  /** What is in nobody's hands now is brought to its end, and cleared away. */
  const leave = ({ instances, removed }: InstanceRecord.Inheritance) =>
    Effect.gen(function*() {
      const sockets = yield* Sockets
      const isKept = (name: InstanceName) =>
        Effect.map(
          branches.service(parts(name).service)?.get(parts(name).id) ?? Effect.succeed(Option.none()),
          Option.isSome
        )
      const runs: Array<{ readonly instance: InstanceName; readonly incarnation: number }> = []
      for (const [name, saved] of instances) {
        const known = Takeover.runsOf(saved)
        for (const { incarnation } of known) runs.push({ instance: name, incarnation })
        for (const run of [...(saved.run === null ? [] : [saved.run]), ...(saved.beside?.runs ?? [])]) {
          if (!known.includes(run)) yield* sockets.retire(run.endpoint)
        }
        if (yield* isKept(name)) continue
        const ended = yield* Scope.extend(Orphans.end(name, saved, config.settings), above)
        orphans.push(yield* Effect.forkIn(ended, above))
      }
      for (const name of removed) {
        const isListed = config.services.get(parts(name).service)?.instances.includes(parts(name).id) ?? false
        if (!isListed) yield* InstanceRecord.unremove(name)
      }
      yield* sockets.sweep
      yield* Leftovers.sweep(config.settings, runs)
    })

  const waves = () =>
    Dependencies.waves(new Map([...config.services].map(([name, { dependsOn }]) => [name, dependsOn])))
  const instancesOf = (name: ServiceName) => branches.service(name)?.instances ?? Effect.succeed([])

  const tree: Tree = {
    config: Effect.sync(() => config),
    instances: Effect.suspend(() =>
      Effect.map(Effect.forEach(branches.services(), ({ instances }) => instances), (all) => all.flat())
    ),
    instancesOf: (name) => Effect.suspend(() => instancesOf(name)),
    traffic: {
      config: () => config,
      backends: (service, id) => branches.service(service)?.backends(id) ?? []
    },
    find: (name) =>
      Effect.suspend(() => branches.service(parts(name).service)?.get(parts(name).id) ?? Effect.succeed(Option.none())),
    obtain: (service, id) =>
      Effect.gen(function*() {
        const owner = branches.service(service)
        if (owner === undefined) return Option.none()
        const found = yield* owner.get(id)
        if (Option.isNone(found)) yield* orphansGone
        return Option.isSome(found) ? found : Option.some(yield* owner.add(id))
      }),
    forget: (name) =>
      Effect.suspend(() => branches.service(parts(name).service)?.remove(parts(name).id) ?? Effect.void),
    resetFailed: (service) => Effect.suspend(() => branches.groupOf(service)?.resetFailed ?? Effect.void),

    boot: Effect.gen(function*() {
      if (isUp) return
      isUp = true
      const inheritance = yield* InstanceRecord.read
      yield* Takeover.clear(inheritance, config.settings)
      for (const service of config.services.values()) yield* branches.addService(service, inheritance)
      yield* leave(inheritance)
      for (const group of config.groups.values()) yield* branches.addGroup(group, { startMembers: true })
      for (const name of waves().flat()) {
        if (groupOf(config, name) !== undefined) continue
        for (const instance of yield* instancesOf(name)) yield* instance.order("Start", { _tag: "Boot" })
      }
    }).pipe(Effect.provide(context)),

    shutdown: Effect.gen(function*() {
      for (const group of branches.groups()) yield* group.release
      const left: Array<InstanceName> = []
      for (const wave of waves().toReversed()) {
        const instances = (yield* Effect.forEach(wave, instancesOf)).flat()
        yield* Effect.forEach(instances, (instance) =>
          Effect.gen(function*() {
            const { parts: { policy } } = yield* instance.snapshot
            const stopped = Instance.stop(instance, { _tag: "Shutdown" })
            const isStopped = yield* bounded(stopped, policy.stopTimeoutMs + killTimeMs)
            if (Option.isNone(isStopped)) left.push(instance.name)
          }), { concurrency: Branches.stopsAtOnce, discard: true })
      }
      yield* orphansGone
      if (isUp && left.length === 0) yield* InstanceRecord.stoppedAll
      return left
    }).pipe(Effect.provide(context)),

    leave: Effect.gen(function*() {
      for (const group of branches.groups()) yield* group.release
      const instances = (yield* Effect.forEach(branches.services(), ({ instances }) => instances)).flat()
      yield* Effect.forEach(instances, ({ leave }) => bounded(leave, leaveTimeMs), {
        concurrency: "unbounded",
        discard: true
      })
    }),

    adopt: (next, diff, isGoingDown) =>
      Effect.gen(function*() {
        yield* orphansGone
        // As the old file ties them, for the last time.
        for (const { group } of diff.groups) yield* branches.removeGroup(group)
        config = next
        return isUp ? yield* adopt(branches, next, diff, isGoingDown) : Effect.succeed([])
      }),

    attach: system.add,

    print: Effect.gen(function*() {
      const instances = new Map<ServiceName, ReadonlyArray<Instance.Snapshot>>()
      for (const service of branches.services()) {
        instances.set(service.name, yield* Effect.forEach(yield* service.instances, ({ snapshot }) => snapshot))
      }
      const gaveUp = new Set<GroupName>()
      for (const group of branches.groups()) if (yield* group.gaveUp) gaveUp.add(group.name)
      return InstanceViews.tree(config, { system: yield* system.children, instances, gaveUp })
    })
  }
  return tree
})
