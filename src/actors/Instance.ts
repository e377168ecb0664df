/**
 * One running copy of a service, as the tree sees it: its actor, and the ways to ask something of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Cause } from "../domain/Cause.ts"
import type { ServiceConfig } from "../domain/Config.ts"
import type { InstanceState } from "../domain/InstanceState.ts"
import type { GroupName, InstanceName, ServiceName } from "../domain/Names.ts"
import type * as Overrides from "../domain/Overrides.ts"
import { Connections } from "../layers/Connections.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import * as Arrivals from "./Arrivals.ts"
import { type Backend, of as backendOf } from "./Backend.ts"
import * as Drain from "./Drain.ts"
import { type ActorLost, Busy } from "./Errors.ts"
import * as InstanceActor from "./InstanceActor.ts"
import type * as InstanceCommands from "./InstanceCommands.ts"
import * as InstanceMemory from "./InstanceMemory.ts"
import type * as InstanceParts from "./InstanceParts.ts"
import { now } from "./Now.ts"
import { ReadinessRegistry } from "./ReadinessRegistry.ts"
import * as RunWatch from "./RunWatch.ts"
import * as Takeover from "./Takeover.ts"
import type { Settled, Waiter } from "./Waiter.ts"
import * as Wakes from "./Wakes.ts"

/**
 * What can be seen of an instance at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly name: InstanceName
  readonly parts: InstanceParts.InstanceParts
  /** What a person has said of it. */
  readonly overrides: Overrides.Overrides
  readonly state: InstanceState
  readonly endpoint: Endpoint | null
  readonly waitingFor: ReadonlyArray<ServiceName>
  /** The program's own. */
  readonly pid: number | null
}

/**
 * @since 0.1.0
 * @category models
 */
export type Verb = "Start" | "Stop" | "Restart"

/**
 * @since 0.1.0
 * @category models
 */
export interface Instance {
  readonly name: InstanceName
  /** Starts the actor, and gives its running. Done by a supervisor, for one at a time. */
  readonly start: Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
  /** Asks for something and waits for the outcome; turned away when too much is waiting already. */
  readonly ask: (verb: Verb, cause: Cause) => Effect.Effect<Settled, Busy | ActorLost | StoreFailed>
  /** The same for the tree, which is not turned away but waits for room. What it gives waits for the outcome. */
  readonly order: (verb: Verb, cause: Cause) => Effect.Effect<Effect.Effect<Settled, ActorLost | StoreFailed>>
  /** Its group gave up. */
  readonly giveUp: (cause: Cause) => Effect.Effect<void>
  /** Rules, checks and layers of a new configuration, from now on; the process is left alone. */
  readonly reconfigure: (config: ServiceConfig, group: GroupName | null) => Effect.Effect<void, ActorLost>
  /** What a person says of it, in the place of the file. On the disk once this is done. */
  readonly override: (change: Overrides.Change) => Effect.Effect<void, ActorLost | StoreFailed>
  /** Waits until nothing is open on its run, for as long as `drain_timeout`. */
  readonly drained: Effect.Effect<void>
  readonly snapshot: Effect.Effect<Snapshot>
  readonly backend: () => Backend
  /** Waits, as a request does, until it serves; if it sleeps, it wakes. */
  readonly arrival: Effect.Effect<Arrivals.Arrival>
  /** Tells of what nothing else would: what the kernel killed of it for memory. */
  readonly look: Effect.Effect<void>
  /**
   * It is to be removed, and is over if nothing of it runs and `promise` holds; gives whether it is. No wish can come
   * between these.
   */
  readonly retire: (promise: Effect.Effect<void, StoreFailed>) => Effect.Effect<boolean, ActorLost | StoreFailed>
  /** Whether its actor does nothing more. */
  readonly isOver: Effect.Effect<boolean>
  /** Another supervisor takes over: it is written down as it is, and its actor does nothing more. */
  readonly leave: Effect.Effect<void>
}

/**
 * A stop that is asked for again if the actor had a defect over it. What cannot be stopped like this is killed when its
 * scope closes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stop = (instance: Instance, cause: Cause): Effect.Effect<void> =>
  Effect.flatten(instance.order("Stop", cause)).pipe(
    Effect.retry({ times: 3 }),
    Effect.catchAll((error) => Effect.logWarning(error.message)),
    Effect.asVoid
  )

/**
 * Stops it, and sees to it that nobody can start it again. One that is started again nevertheless is stopped again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const end = (instance: Instance, cause: Cause): Effect.Effect<void> =>
  stop(instance, cause).pipe(
    Effect.zipRight(instance.retire(Effect.void)),
    Effect.repeat({ until: (isOver) => isOver, times: 3 }),
    Effect.catchAll((error) => Effect.logWarning(error.message)),
    Effect.asVoid
  )

const untilOf = { Start: "ready", Stop: "gone", Restart: "renewed" } as const

const request = (verb: Verb, cause: Cause) =>
  Effect.map(now, (since) => {
    const waiter: Waiter = {
      until: untilOf[verb],
      since,
      reply: Deferred.unsafeMake<Settled, ActorLost | StoreFailed>(FiberId.none),
      changed: true
    }
    const message: InstanceMemory.Message = {
      _tag: "Event",
      event: { _tag: verb, at: since, cause },
      waiter,
      ticket: null
    }
    return { waiter, message }
  })

const outcome = ({ waiters }: InstanceMemory.InstanceMemory, waiter: Waiter) =>
  Deferred.await(waiter.reply).pipe(Effect.onInterrupt(() => Effect.sync(() => waiters.delete(waiter))))

/** Tells the actor, which waits for room, and waits for its answer. */
const answered = <A, E>(
  memory: InstanceMemory.InstanceMemory,
  message: (reply: Deferred.Deferred<A, E>) => InstanceMemory.Message
): Effect.Effect<A, E | ActorLost> =>
  Effect.gen(function*() {
    const reply = yield* Deferred.make<A, E>()
    const isTaken = yield* memory.mailbox.offer(message(reply))
    return isTaken ? yield* Deferred.await(reply) : yield* InstanceMemory.lost(memory)
  })

const programOf = (memory: InstanceMemory.InstanceMemory): Effect.Effect<number | null> =>
  Effect.suspend(() => InstanceMemory.runOf(memory)?.process.programPid ?? Effect.succeed(null))

/**
 * Makes an instance. What belongs to it longer than to one actor's fiber lives in the scope: its log, its layers, its run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(
  function*(options: InstanceMemory.Options, context: Context.Context<InstanceCommands.Needs>, scope: Scope.Scope) {
    const { name } = options
    const registry = Context.get(context, ReadinessRegistry)
    const memory = yield* InstanceMemory.make(options, scope).pipe(Effect.provide(context))
    if (options.saved !== null) yield* Takeover.takeOver(memory, options.saved).pipe(Effect.provide(context))
    yield* registry.tell(name, memory.state, Wakes.wake(memory))
    yield* Scope.addFinalizer(scope, registry.forget(name))

    const instance: Instance = {
      name,
      start: InstanceActor.start(memory, context),
      ask: (verb, cause) =>
        Effect.gen(function*() {
          const { message, waiter } = yield* request(verb, cause)
          if (memory.closed) return yield* InstanceMemory.lost(memory)
          const waiting = Option.getOrElse(memory.mailbox.unsafeSize(), () => 0)
          const hasRoom = waiting < InstanceMemory.mailboxCapacity && memory.mailbox.unsafeOffer(message)
          return hasRoom ? yield* outcome(memory, waiter) : yield* new Busy({ actor: name })
        }),
      order: (verb, cause) =>
        Effect.gen(function*() {
          const { message, waiter } = yield* request(verb, cause)
          return (yield* memory.mailbox.offer(message))
            ? outcome(memory, waiter)
            : Effect.fail(InstanceMemory.lost(memory))
        }),
      giveUp: (cause) => InstanceMemory.tell(memory, { _tag: "GiveUp", cause }, null),
      reconfigure: (config, group) =>
        answered<void, ActorLost>(memory, (reply) => ({ _tag: "Reconfigure", config, group, reply })),
      override: (change) =>
        answered<void, ActorLost | StoreFailed>(memory, (reply) => ({ _tag: "Override", change, reply })),
      drained: Effect.suspend(() => {
        const run = InstanceMemory.runOf(memory)
        return run === null
          ? Effect.void
          : Effect.asVoid(Drain.wait(run, Context.get(context, Connections), memory.parts.policy.drainTimeoutMs))
      }),
      snapshot: Effect.map(programOf(memory), (pid) => ({
        pid,
        name,
        parts: memory.parts,
        overrides: memory.overrides,
        state: memory.state,
        endpoint: InstanceMemory.runOf(memory)?.endpoint ?? null,
        waitingFor: memory.missing
      })),
      backend: () => backendOf(memory),
      arrival: Arrivals.wait(memory),
      look: RunWatch.lookAtMemory(memory, context),
      retire: (promise) =>
        answered<boolean, ActorLost | StoreFailed>(memory, (reply) => ({ _tag: "Retire", promise, reply })),
      isOver: Effect.sync(() => memory.over),
      leave: Effect.gen(function*() {
        const reply = yield* Deferred.make<void>()
        if (yield* memory.mailbox.offer({ _tag: "Leave", reply })) yield* Deferred.await(reply)
      })
    }
    return instance
  }
)
