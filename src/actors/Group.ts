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
import * as Intensity from "../domain/Intensity.ts"
import { type GroupName, InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import { Events } from "../layers/Events.ts"
import { Store } from "../layers/Store.ts"
import type { ActorLost } from "./Errors.ts"
import * as GroupRecord from "./GroupRecord.ts"
import * as Instance from "./Instance.ts"
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

/** What went wrong last, and when its delay is over. */
interface Failure {
  readonly instance: InstanceName
  readonly until: Instant
}

const roundOf = ({ name }: GroupConfig, { instance }: Failure): Cause => ({
  _tag: "GroupRound",
  group: name,
  failed: instance
})

/** Whether a round is to start it again. One that waits to be started again asked for that itself. */
const isRevived = ({ parts: { policy }, state: { phase, wanted } }: Instance.Snapshot): boolean =>
  wanted === "running" && (policy.revivedByGroup || phase._tag === "Backoff")

const reach = {
  "one-for-one": "it",
  "one-for-all": "all its members",
  "rest-for-one": "it and the members after it"
} as const

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
  readonly resetFailed: Effect.Effect<void>
  /** From now on members are left as they are: the supervisor is going down, or the group is being replaced. */
  readonly release: Effect.Effect<void>
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
  const store = yield* Store
  const reset = yield* Effect.makeLatch(false)
  const failures = new Map<ServiceName, Deferred.Deferred<never, MemberFailed | ActorLost | StoreFailed>>()
  const isOneForOne = config.strategy === "one-for-one"
  /** Members that are still to be started for the first time. */
  const unborn = new Set(options.startMembers ? options.services.map(({ name }) => name) : [])
  let last: Failure | null = null
  let watching = !options.startMembers
  let gaveUp = false
  let released = false
  let rounds = yield* GroupRecord.read(store, config.name)

  const count = (history: Intensity.History) => {
    rounds = history
    return GroupRecord.write(store, config.name, history)
  }

  const untilDue = (until: Instant) =>
    Effect.flatMap(now, (at) => Effect.sleep(Math.ceil(Math.max(0, elapsed(at, until)))))

  /** Started, and either ready or waiting for something outside the group; a failure is the round's. */
  const startInstance = (instance: Instance.Instance, cause: Cause) =>
    Effect.gen(function*() {
      const before = yield* instance.snapshot
      const { phase } = before.state
      if (phase._tag === "Completed" || phase._tag === "Failed") return
      if (cause._tag === "GroupRound" && !isRevived(before)) return
      // Only where an earlier supervisor has left it so.
      if (cause._tag === "Boot" && phase._tag === "Backoff") return yield* takeOver(instance)
      // Each for itself: nobody waits for the delay of another.
      if (isOneForOne && phase._tag === "Backoff" && phase.until !== null) yield* untilDue(phase.until)
      if (released) return
      yield* Effect.flatten(instance.order("Start", cause))
      const { state } = yield* instance.snapshot
      if (state.phase._tag === "Backoff") yield* new MemberFailed({ instance: instance.name })
    })

  /** Nobody is started who is only watched, but one that another round has left behind is a failure of this one. */
  const takeOver = (instance: Instance.Instance) =>
    Effect.gen(function*() {
      const found = yield* instance.snapshot
      const { phase } = found.state
      if ((phase._tag !== "Stopped" && phase._tag !== "Backoff") || !isRevived(found)) return
      last = { instance: instance.name, until: (phase._tag === "Backoff" ? phase.until : null) ?? (yield* now) }
      yield* new MemberFailed({ instance: instance.name })
    })

  const stopInstance = (instance: Instance.Instance) =>
    Effect.suspend(() => {
      // The one that failed is down, and with it alone the round is concerned.
      if (released || last === null || isOneForOne) return Effect.void
      return Instance.stop(instance, roundOf(config, last))
    })

  const member = (service: Service): Supervisor.ChildSpec => ({
    id: service.name,
    start: Effect.gen(function*() {
      const failure = yield* Deferred.make<never, MemberFailed | ActorLost | StoreFailed>()
      failures.set(service.name, failure)
      const instances = yield* service.instances
      yield* Effect.addFinalizer(() =>
        Effect.flatMap(
          service.instances,
          (current) => Effect.forEach(current, stopInstance, { concurrency: stopsAtOnce, discard: true })
        )
      )
      const failed = Deferred.await(failure)
      if (watching) {
        yield* Effect.forEach(instances, takeOver, { discard: true })
        return failed
      }
      const isFirst = unborn.delete(service.name)
      const cause: Cause = isFirst || last === null ? { _tag: "Boot" } : roundOf(config, last)
      if (cause._tag === "Boot" || !isOneForOne) {
        yield* Effect.forEach(instances, (instance) => startInstance(instance, cause), { discard: true })
        return failed
      }
      // As many at once as there are: most of them only wait for their time. By fibers of the scope's own, since a concurrent
      // `Effect.forEach` of effect 3.22.4 that is interrupted before its fibers have begun may never end.
      yield* Effect.forEach(instances, (instance) =>
        startInstance(instance, cause).pipe(
          Effect.catchAllCause((reason) => Deferred.failCause(failure, reason)),
          Effect.forkScoped
        ), { discard: true })
      return failed
    })
  })

  const supervise = Effect.gen(function*() {
    const supervisor = yield* Supervisor.make({
      name: config.name,
      strategy: config.strategy,
      intensity: { max: config.maxRestarts, windowMs: config.restartWindowMs },
      history: rounds,
      onRound: count,
      onFailure: () =>
        events.publish({
          _tag: "Notice",
          level: "warning",
          subject: config.name,
          message: `${last?.instance ?? "a member"} failed; group ${config.name} restarts ${reach[config.strategy]}`
        }),
      beforeStart: () => Effect.suspend(() => last === null || isOneForOne ? Effect.void : untilDue(last.until))
    })
    for (const service of options.services) yield* supervisor.add(member(service))
    // From here on every start is part of a round.
    watching = false
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
      yield* Effect.forEach(yield* service.instances, (instance) => instance.giveUp(cause), { discard: true })
    }
    yield* reset.await
    yield* reset.close
    yield* count(Intensity.empty)
    gaveUp = false
    watching = true
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
    resetFailed: Effect.suspend(() => gaveUp ? reset.open : Effect.void),
    release: Effect.sync(() => {
      released = true
    }),
    run: Effect.forever(Effect.catchTag(Effect.scoped(supervise), "GaveUp", () => giveUp))
  }
  return group
})
