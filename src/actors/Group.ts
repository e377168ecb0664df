/**
 * The supervisor of services whose fates are tied: one fails, and its strategy says who is stopped and started with it.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Cause } from "../domain/Cause.ts"
import type { GroupConfig } from "../domain/Config.ts"
import { elapsed, type Instant, plus } from "../domain/Instant.ts"
import { type GroupName, InstanceName, parts } from "../domain/Names.ts"
import { Events } from "../layers/Events.ts"
import type { Instance } from "./Instance.ts"
import { now } from "./Now.ts"
import type { Service } from "./Service.ts"
import * as Supervisor from "./Supervisor.ts"

/**
 * An instance of a group's service failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class MemberFailed extends Schema.TaggedError<MemberFailed>()("MemberFailed", {
  instance: InstanceName
}) {
  override get message() {
    return `${this.instance} failed`
  }
}

/** Instances of one service stop together; this many of them. */
const stopsAtOnce = 64

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly config: GroupConfig
  /** The services, in start order. */
  readonly services: ReadonlyArray<Service>
  /** Whether the group starts its members, or takes over members that were started without it. */
  readonly startMembers: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Group {
  readonly name: GroupName
  readonly config: GroupConfig
  readonly gaveUp: Effect.Effect<boolean>
  /** An instance failed and may be started again in `delayMs`. */
  readonly memberFailed: (instance: InstanceName, delayMs: number) => Effect.Effect<void>
  /** A person started a member: the group watches over its members again. */
  readonly lift: Effect.Effect<void>
  /** From now on members are left as they are: the supervisor is going down, or the group is being replaced. */
  readonly letGo: Effect.Effect<void>
  readonly run: Effect.Effect<void>
}

/**
 * Makes a group; nothing happens before it is run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Group.make")(function*(options: Options) {
  const { config } = options
  const events = yield* Events
  const lifted = Effect.unsafeMakeLatch(false)
  const failures = new Map<string, Deferred.Deferred<never, MemberFailed>>()
  let last: { readonly instance: InstanceName; readonly until: Instant } | null = null
  let watching = options.startMembers ? "start" as "start" | "watch" : "watch"
  let gaveUp = false
  let released = false

  const roundCause = (): Cause =>
    last === null ? { _tag: "Boot" } : { _tag: "GroupRound", group: config.name, failed: last.instance }

  /** Started, and either ready or waiting for something outside the group; a failure is the round's. */
  const startInstance = (instance: Instance) =>
    Effect.gen(function*() {
      const before = yield* instance.snapshot
      if (before.state.phase._tag === "Completed" || before.state.phase._tag === "Failed") return
      const isBoot = last === null
      if (!isBoot && (before.state.wanted === "stopped" || !before.parts.policy.revivedByGroup)) return
      yield* instance.ask("Start", roundCause())
      const { state } = yield* instance.snapshot
      if (state.phase._tag === "Backoff") yield* new MemberFailed({ instance: instance.name })
    })

  const stopInstance = (instance: Instance) =>
    Effect.suspend(() => released || last === null ? Effect.void : Effect.ignore(instance.ask("Stop", roundCause())))

  const member = (service: Service): Supervisor.ChildSpec => ({
    id: service.name,
    start: Effect.gen(function*() {
      const failure = yield* Deferred.make<never, MemberFailed>()
      failures.set(service.name, failure)
      const instances = yield* service.instances
      yield* Effect.addFinalizer(() =>
        Effect.flatMap(
          service.instances,
          (current) => Effect.forEach(current, stopInstance, { concurrency: stopsAtOnce, discard: true })
        )
      )
      if (watching === "start") yield* Effect.forEach(instances, startInstance, { discard: true })
      return Deferred.await(failure)
    })
  })

  const supervise = Effect.gen(function*() {
    const supervisor = yield* Supervisor.make({
      name: config.name,
      strategy: config.strategy,
      intensity: { max: config.maxRestarts, windowMs: config.restartWindowMs },
      onFailure: () =>
        events.publish({
          _tag: "Notice",
          level: "warning",
          subject: config.name,
          message: `${last?.instance ?? "a member"} failed; group ${config.name} restarts together (${config.strategy})`
        }),
      beforeStart: () =>
        Effect.flatMap(now, (at) => Effect.sleep(last === null ? 0 : Math.ceil(Math.max(0, elapsed(at, last.until)))))
    })
    for (const service of options.services) yield* supervisor.add(member(service))
    // From here on every start is part of a round.
    watching = "start"
    return yield* supervisor.run
  })

  const giveUp = Effect.gen(function*() {
    const { maxRestarts, name, restartWindowMs } = config
    const cause: Cause = { _tag: "GroupGaveUp", group: name, rounds: maxRestarts, windowMs: restartWindowMs }
    gaveUp = true
    yield* events.publish({
      _tag: "Notice",
      level: "error",
      subject: name,
      message: `group ${name} gave up: more than ${maxRestarts} rounds within its window; start a member to lift it`
    })
    for (const service of options.services) {
      yield* Effect.forEach(yield* service.instances, (instance) => instance.order("GiveUp", cause), { discard: true })
    }
    yield* lifted.await
    yield* lifted.close
    gaveUp = false
    watching = "watch"
  })

  const group: Group = {
    name: config.name,
    config,
    gaveUp: Effect.sync(() => gaveUp),
    memberFailed: (instance, delayMs) =>
      Effect.gen(function*() {
        last = { instance, until: plus(yield* now, delayMs) }
        const failure = failures.get(parts(instance).service)
        if (failure !== undefined) yield* Deferred.fail(failure, new MemberFailed({ instance }))
      }),
    lift: Effect.suspend(() => gaveUp ? lifted.open : Effect.void),
    letGo: Effect.sync(() => {
      released = true
    }),
    run: Effect.forever(Effect.catchTag(Effect.scoped(supervise), "GaveUp", () => giveUp))
  }
  return group
})
