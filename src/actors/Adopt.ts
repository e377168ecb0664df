/**
 * From one configuration to the next: what a reload does to the tree.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Cause } from "../domain/Cause.ts"
import { groupOf, type ServiceConfig, type TenementConfig } from "../domain/Config.ts"
import type { ConfigDiff } from "../domain/ConfigDiff.ts"
import { isSettled } from "../domain/InstanceState.ts"
import type { ServiceName } from "../domain/Names.ts"
import type { Branches } from "./Branches.ts"
import type { Instance, Verb } from "./Instance.ts"
import type { Service } from "./Service.ts"

type Change = ConfigDiff["services"][number]

/** Something that an instance is to be told once the tree has its new shape. */
interface Order {
  readonly instance: Instance
  readonly verb: Verb
  readonly cause: Cause
}

/**
 * A reload under way: `orders` is what to tell whom at its end, `problems` what went wrong so far, for a person.
 */
interface Reload {
  readonly branches: Branches
  readonly next: TenementConfig
  readonly orders: Array<Order>
  readonly problems: Array<string>
}

const groupNameOf = ({ next }: Reload, service: ServiceName) => groupOf(next, service)?.name ?? null

const reconfigure = (reload: Reload, service: Service, config: ServiceConfig) =>
  Effect.map(
    service.reconfigure(config, groupNameOf(reload, config.name)),
    (lost) => void reload.problems.push(...lost.map(({ message }) => message))
  )

const addService = ({ branches, orders }: Reload, config: ServiceConfig, cause: Cause) =>
  Effect.gen(function*() {
    yield* branches.addService(config)
    for (const instance of yield* branches.service(config.name)?.instances ?? Effect.succeed([])) {
      orders.push({ instance, verb: "Start", cause })
    }
  })

const changeService = (reload: Reload, service: Service, config: ServiceConfig, change: Change, cause: Cause) =>
  Effect.gen(function*() {
    const { branches, orders } = reload
    for (const id of change.removedInstances) yield* branches.removeInstance(service, id, cause)
    const before = yield* service.instances
    yield* reconfigure(reload, service, config)
    for (const id of change.addedInstances) {
      const found = yield* service.get(id)
      const instance = Option.isSome(found) ? found.value : yield* service.add(id)
      orders.push({ instance, verb: "Start", cause })
    }
    if (change.kind !== "restart") return
    for (const instance of before) {
      const { state } = yield* instance.snapshot
      // What is stopped, done or given up stays so; it will run by the new rules when it is started.
      if (!isSettled(state)) orders.push({ instance, verb: "Restart", cause })
    }
  })

/** New ties between services. What the old ones had stopped, or were to start again and never will, is started. */
const regroup = (reload: Reload, diff: ConfigDiff) =>
  Effect.gen(function*() {
    const { branches, next, orders } = reload
    for (const { group } of diff.groups) {
      const config = next.groups.get(group)
      if (config !== undefined) yield* branches.addGroup(config, { startMembers: false })
    }
    if (diff.groups.length === 0) return
    for (const service of branches.services()) {
      const group = groupNameOf(reload, service.name)
      if (group !== (yield* service.group)) yield* reconfigure(reload, service, yield* service.config)
      if (group !== null) continue
      for (const instance of yield* service.instances) {
        const { state: { phase, wanted } } = yield* instance.snapshot
        const isLeft = wanted === "running" && (phase._tag === "Stopped" || phase._tag === "Backoff")
        if (isLeft) orders.push({ instance, verb: "Start", cause: { _tag: "Reload", keys: ["group"] } })
      }
    }
  })

/** Told in full before anybody is waited for: half of a reload would be neither the old file nor the new one. */
const give = (orders: ReadonlyArray<Order>) =>
  Effect.forEach(
    orders,
    ({ cause, instance, verb }) =>
      Effect.map(instance.order(verb, cause), (outcome) =>
        Effect.match(outcome, {
          onFailure: ({ message }) => [message],
          onSuccess: (settled) =>
            settled._tag === "NotReady" ? [`${instance.name} is not ready: ${settled.reason}`] : []
        }))
  )

/**
 * Goes over to another configuration, and starts what it brings, unless all is going down by then. What it gives waits
 * until that has settled, and tells what went wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const adopt = Effect.fn("Tree.adopt")(function*(
  branches: Branches,
  next: TenementConfig,
  diff: ConfigDiff,
  isGoingDown: Effect.Effect<boolean>
) {
  const reload: Reload = { branches, next, orders: [], problems: [] }
  for (const change of diff.services) {
    const cause: Cause = { _tag: "Reload", keys: change.keys.map(({ key }) => key) }
    const service = branches.service(change.service)
    const config = next.services.get(change.service)
    if (config === undefined) yield* branches.removeService(change.service, cause)
    else if (service === undefined) yield* addService(reload, config, cause)
    else yield* changeService(reload, service, config, change, cause)
  }
  yield* regroup(reload, diff)
  // What was removed may have taken its time.
  if (yield* isGoingDown) return Effect.succeed([...reload.problems, "the supervisor goes down: nothing was started"])
  const outcomes = yield* give(reload.orders)
  return Effect.map(Effect.all(outcomes), (problems) => [...reload.problems, ...problems.flat()])
})
