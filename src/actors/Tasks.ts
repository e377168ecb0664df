/**
 * What an actor does on the side: at most one task of a name, and the actor knows which of its messages are still news.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import { close } from "./Close.ts"

/**
 * One go of a task. What a task tells its actor carries it: once the task was cancelled or replaced, also by one of the
 * same name, what it told is out of date.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ticket<Name> {
  readonly task: Name
  /** Null before it has begun, and after its end. */
  fiber: Fiber.RuntimeFiber<void> | null
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Tasks<Name> {
  /** Begins a task in place of the one of that name. The old one is told to end and not waited for. */
  readonly start: (name: Name, task: (ticket: Ticket<Name>) => Effect.Effect<void>) => Effect.Effect<void>
  /** The same, but however soon it is cancelled it begins: it says itself where it can be interrupted. */
  readonly startSurely: (name: Name, task: (ticket: Ticket<Name>) => Effect.Effect<void>) => Effect.Effect<void>
  readonly cancel: (...names: ReadonlyArray<Name>) => Effect.Effect<void>
  /** Whether a task of that name was begun and not cancelled. It may have come to its end. */
  readonly has: (name: Name) => boolean
  readonly isCurrent: (ticket: Ticket<Name>) => boolean
  /** Ends all of them, and waits; none is begun any more. What it gives tells of a ticket whether it was current. */
  readonly end: Effect.Effect<(ticket: Ticket<Name>) => boolean>
}

/**
 * Tasks that live in the scope; it waits for their ends. A defect in one is given to `onDefect`.
 *
 * `FiberMap` keeps fibers by name as well, but forgets one that has ended, so that nobody could say whether what it told
 * last still holds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*<Name>(onDefect: (cause: Cause.Cause<never>) => Effect.Effect<void>) {
  const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  const tickets = new Map<Name, Ticket<Name>>()
  yield* Scope.addFinalizer(scope, Effect.sync(() => tickets.clear()))

  const cancel = (...names: ReadonlyArray<Name>) =>
    Effect.sync(() => {
      for (const name of names) {
        tickets.get(name)?.fiber?.unsafeInterruptAsFork(FiberId.none)
        tickets.delete(name)
      }
    })

  const startSurely: Tasks<Name>["startSurely"] = (name, task) =>
    Effect.gen(function*() {
      yield* cancel(name)
      const ticket: Ticket<Name> = { task: name, fiber: null }
      tickets.set(name, ticket)
      const fiber = yield* task(ticket).pipe(
        Effect.catchAllCause((cause) => Cause.isInterruptedOnly(cause) ? Effect.void : onDefect(cause)),
        Effect.forkIn(scope),
        Effect.uninterruptible
      )
      ticket.fiber = fiber
      fiber.addObserver(() => {
        ticket.fiber = null
      })
    })

  const tasks: Tasks<Name> = {
    startSurely,
    start: (name, task) => startSurely(name, (ticket) => Effect.interruptible(task(ticket))),
    cancel,
    has: (name) => tickets.has(name),
    end: Effect.suspend(() => {
      const current = new Set(tickets.values())
      return Effect.as(close(scope), (ticket: Ticket<Name>) => current.has(ticket))
    }),
    isCurrent: (ticket) => tickets.get(ticket.task) === ticket
  }
  return tasks
})
