/**
 * What an instance keeps from one fiber of its actor to the next.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Scope from "effect/Scope"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import type { InstanceEvent } from "../domain/InstanceEvent.ts"
import { initial, type InstanceState } from "../domain/InstanceState.ts"
import type { Instant } from "../domain/Instant.ts"
import type { GroupName, InstanceName, ServiceName } from "../domain/Names.ts"
import * as Overrides from "../domain/Overrides.ts"
import * as Rollout from "../domain/Rollout.ts"
import type { Deadlines, Saved } from "../domain/Saved.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import type { InstanceLog } from "../layers/Logs.ts"
import { ActorLost } from "./Errors.ts"
import * as InstanceParts from "./InstanceParts.ts"
import type { InstanceRun } from "./InstanceRun.ts"
import type { Task } from "./InstanceTask.ts"
import { now } from "./Now.ts"
import type { Standby } from "./Standby.ts"
import type { Ticket } from "./Tasks.ts"
import { type Arrivals, type Settled, verdict, type Waiter } from "./Waiter.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name: InstanceName
  readonly config: ServiceConfig
  readonly settings: Settings
  readonly group: GroupName | null
  readonly services: InstanceParts.ServicesFor
  /** What an earlier supervisor wrote down of it. */
  readonly saved: Saved | null
  /** The instance failed in a way that its group answers for, `delayMs` from now. */
  readonly tellGroup: (delayMs: number) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Message =
  /** With the waiter of a caller who waits, or the ticket of the task that says so. */
  | {
    readonly _tag: "Event"
    readonly event: InstanceEvent
    readonly waiter: Waiter | null
    readonly ticket: Ticket<Task> | null
  }
  | {
    readonly _tag: "Reconfigure"
    readonly config: ServiceConfig
    readonly group: GroupName | null
    readonly reply: Deferred.Deferred<void, ActorLost>
  }
  | {
    readonly _tag: "Override"
    readonly change: Overrides.Change
    readonly reply: Deferred.Deferred<void, ActorLost | StoreFailed>
  }
  | { readonly _tag: "Defect"; readonly cause: Cause.Cause<never> }
  /** If nothing of it runs, and `promise` can be kept, it is over: the actor does nothing more. Replies whether it is. */
  | {
    readonly _tag: "Retire"
    readonly promise: Effect.Effect<void, StoreFailed>
    readonly reply: Deferred.Deferred<boolean, ActorLost | StoreFailed>
  }
  /** Another supervisor takes over: the actor writes down where it is and does nothing more. */
  | { readonly _tag: "Leave"; readonly reply: Deferred.Deferred<void> }

/**
 * Written by the actor and its tasks alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceMemory {
  readonly options: Options
  readonly scope: Scope.Scope
  readonly mailbox: Mailbox.Mailbox<Message>
  /** Callers that wait for an outcome. */
  readonly waiters: Set<Waiter>
  /** Requests that wait for it; those of the last time, if none do. */
  arrivals: Arrivals | null
  /** When it was woken, until it is ready. */
  wokenAt: Instant | null
  state: InstanceState
  /** The runs that are to follow the one of `state`, or were followed by it. */
  beside: Rollout.Beside
  /** What the file says of the service, and a person of this instance; `parts` have both. */
  service: ServiceConfig
  overrides: Overrides.Overrides
  parts: InstanceParts.InstanceParts
  /** What there is of all runs. */
  runs: ReadonlyArray<InstanceRun>
  /** What is kept ready while it sleeps, once it is; `null` if it has not slept since its last run. */
  standby: Deferred.Deferred<Standby | null> | null
  /** Opened with the first run. */
  log: InstanceLog | null
  /** When its timers end; of those that are over, when they did. */
  deadlines: Deadlines
  /** Automatic restarts, by how the run before ended. */
  restarts: Readonly<Record<string, number>>
  /** The services that it waits for, and those of them that nobody has started. */
  missing: ReadonlyArray<ServiceName>
  down: ReadonlyArray<ServiceName>
  /** Nobody will take anything from the mailbox any more. */
  closed: boolean
  /** Its actor does nothing more: it is being removed, or another supervisor has it. */
  over: boolean
}

/**
 * Room for what the tree and the actor's own tasks tell it, beyond what callers may fill.
 */
const reserve = 64

/**
 * How much may wait for one instance; callers beyond it are turned away.
 *
 * @since 0.1.0
 * @category constants
 */
export const mailboxCapacity = 64

// One for all that have nothing to say.
const none = {}
const noRuns: ReadonlyArray<InstanceRun> = []

/**
 * An instance that was never started, or one as it was written down. Whoever waits for it is answered when the scope closes, whether the actor had come
 * to the request or not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options, scope: Scope.Scope) {
  const overrides = options.saved?.overrides ?? Overrides.none
  const memory: InstanceMemory = {
    options,
    scope,
    mailbox: yield* Mailbox.make<Message>({ capacity: mailboxCapacity + reserve, strategy: "suspend" }),
    waiters: new Set(),
    arrivals: null,
    wokenAt: null,
    state: options.saved?.state ?? initial,
    beside: besideOf(options.saved),
    service: options.config,
    overrides,
    parts: yield* InstanceParts.build(
      Overrides.apply(options.config, overrides),
      options.group,
      options.services,
      scope
    ),
    runs: noRuns,
    standby: null,
    log: null,
    deadlines: options.saved?.deadlines ?? none,
    restarts: options.saved?.restarts ?? none,
    missing: [],
    down: [],
    closed: false,
    over: false
  }
  // By hand: `Effect.addFinalizer` keeps the fiber's whole state with each.
  yield* Scope.addFinalizer(scope, bury(memory))
  return memory
})

const besideOf = (saved: Saved | null): Rollout.Beside => {
  if (saved?.beside === undefined) return Rollout.alone
  const { failure, retiring, successor } = saved.beside
  return { failure, retiring, successor }
}

/**
 * Whoever has asked for something is told that it is not to be had here any more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const turnAway = (memory: InstanceMemory, messages: Iterable<Message>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const error = lost(memory)
    for (const message of messages) {
      if (message._tag === "Reconfigure") yield* Deferred.fail(message.reply, error)
      if (message._tag === "Override") yield* Deferred.fail(message.reply, error)
      if (message._tag === "Event" && message.waiter !== null) yield* Deferred.fail(message.waiter.reply, error)
      if (message._tag === "Retire") yield* Deferred.fail(message.reply, error)
      if (message._tag === "Leave") yield* Deferred.succeed(message.reply, undefined)
    }
  })

const bury = (memory: InstanceMemory) =>
  Effect.gen(function*() {
    memory.closed = true
    // What waits for room comes in when there is some.
    for (let left = yield* memory.mailbox.clear; left.length > 0; left = yield* memory.mailbox.clear) {
      yield* turnAway(memory, left)
    }
    const error = lost(memory)
    yield* Effect.forEach(memory.waiters, ({ reply }) => Deferred.fail(reply, error), { discard: true })
    yield* memory.mailbox.shutdown
  })

/**
 * What there is of a run; by itself, of the one that serves.
 *
 * @since 0.1.0
 * @category combinators
 */
export const runOf = ({ runs, state }: InstanceMemory, incarnation = state.incarnation): InstanceRun | null =>
  runs.find((run) => run.incarnation === incarnation) ?? null

/**
 * There is nothing of a run any more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const dropRun = (memory: InstanceMemory, run: InstanceRun): void => {
  const left = memory.runs.filter((other) => other !== run)
  memory.runs = left.length === 0 ? noRuns : left
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const lost = ({ options }: InstanceMemory): ActorLost => new ActorLost({ actor: options.name })

type Dated = InstanceEvent extends infer E ? E extends { readonly at: unknown } ? Omit<E, "at"> : never : never

/**
 * Into the mailbox; waits for room if there is none. Never lost while the actor lives; while it is being stopped,
 * `resume` makes up for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const post = ({ mailbox }: InstanceMemory, message: Message): Effect.Effect<void> =>
  Effect.suspend(() => mailbox.unsafeOffer(message) ? Effect.void : Effect.interruptible(mailbox.offer(message)))

/**
 * An event that happens now. `ticket` is that of the task which tells it, if what it says can get out of date.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tell = (memory: InstanceMemory, event: Dated, ticket: Ticket<Task> | null): Effect.Effect<void> =>
  Effect.flatMap(now, (at) => post(memory, { _tag: "Event", event: { ...event, at }, waiter: null, ticket }))

/** Whoever waits for this start would wait until somebody starts the others. */
const hopeless = ({ down, state }: InstanceMemory, waiter: Waiter): Settled | null =>
  state.phase._tag === "Waiting" && waiter.until !== "gone" && down.length > 0
    ? { _tag: "NotReady", reason: `it waits for ${down.join(", ")}, which is not running; start that first` }
    : null

/**
 * Answers the callers whose wait is over.
 *
 * @since 0.1.0
 * @category combinators
 */
export const settle = (memory: InstanceMemory): Effect.Effect<void> =>
  Effect.flatMap(now, (at) =>
    Effect.forEach([...memory.waiters], (waiter) => {
      const settled = verdict(waiter, memory.state, memory.beside, at) ?? hopeless(memory, waiter)
      if (settled === null) return Effect.void
      memory.waiters.delete(waiter)
      return Deferred.succeed(waiter.reply, settled)
    }, { discard: true }))
