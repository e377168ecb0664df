/**
 * The actor of one instance: the only writer of its state.
 *
 * It takes an event from its mailbox, asks `decide` what follows, and performs the commands. A defect ends the actor's
 * fiber and nothing else: what the instance remembers, its mailbox, its waiting callers and the live process go on with
 * the next fiber.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Command, InstanceEvent } from "../domain/InstanceEvent.ts"
import { isSettled } from "../domain/InstanceState.ts"
import type { Instant } from "../domain/Instant.ts"
import * as Overrides from "../domain/Overrides.ts"
import * as Rollout from "../domain/Rollout.ts"
import type { Deadlines } from "../domain/Saved.ts"
import { Sockets } from "../layers/Sockets.ts"
import { Store } from "../layers/Store.ts"
import { close } from "./Close.ts"
import * as Idleness from "./Idleness.ts"
import * as InstanceCommands from "./InstanceCommands.ts"
import { type InstanceMemory, lost, type Message, post, runOf, settle, turnAway } from "./InstanceMemory.ts"
import * as InstanceParts from "./InstanceParts.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as InstanceRun from "./InstanceRun.ts"
import { type Task, taskOf } from "./InstanceTask.ts"
import * as Launching from "./Launching.ts"
import { now } from "./Now.ts"
import * as OpenRequests from "./OpenRequests.ts"
import * as PublicSocket from "./PublicSocket.ts"
import { ReadinessRegistry } from "./ReadinessRegistry.ts"
import type { Ticket } from "./Tasks.ts"
import * as Tasks from "./Tasks.ts"
import * as Wakes from "./Wakes.ts"

/** What the state does not say, and whoever comes after this supervisor has to know. */
const note = (memory: InstanceMemory, commands: ReadonlyArray<Command>, at: Instant): void => {
  for (const command of commands) {
    if (command._tag === "ArmTimer") {
      const task = taskOf(command.timer, command.incarnation)
      memory.deadlines = { ...memory.deadlines, [task]: at.mono + command.delayMs }
    }
    if (command._tag === "AwaitAnswers" || command._tag === "Drain") {
      const task = taskOf("drain", command.incarnation)
      memory.deadlines = { ...memory.deadlines, [task]: at.mono + command.limitMs }
    }
    if (command._tag === "CountRestart") {
      const reason = InstanceCommands.reasonOf(command)
      memory.restarts = { ...memory.restarts, [reason]: (memory.restarts[reason] ?? 0) + 1 }
    }
  }
}

/** What was running against time goes on for what is left of it. */
const untilDeadline = (command: Command, deadlines: Deadlines, at: Instant): Command => {
  if (command._tag !== "ArmTimer" && command._tag !== "Drain") return command
  const deadline = deadlines[taskOf(command._tag === "Drain" ? "drain" : command.timer, command.incarnation)]
  if (deadline === undefined) return command
  const left = Math.max(0, deadline - at.mono)
  return command._tag === "Drain" ? { ...command, limitMs: left } : { ...command, delayMs: left }
}

const livesOf = ({ beside, state }: InstanceMemory): Rollout.Lives => ({ main: state, beside })

type Of<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>

/**
 * The actor, with the effect that is its running, until it is interrupted or has a defect. What it does on the side
 * belongs to the scope. One at a time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (memory: InstanceMemory, context: Context.Context<InstanceCommands.Needs>) =>
  Effect.gen(function*() {
    const { name, services } = memory.options
    const registry = Context.get(context, ReadinessRegistry)
    const sockets = Context.get(context, Sockets)
    const store = Context.get(context, Store)
    const tasks = yield* Tasks.make<Task>((cause) => post(memory, { _tag: "Defect", cause }))
    const wake = Wakes.wake(memory)
    const perform = InstanceCommands.performer(memory, tasks, context)

    /** With what the run is busy with, which is what a stop waits for. */
    const seen = (event: InstanceEvent): InstanceEvent => {
      if (event._tag !== "Stop" && event._tag !== "Restart") return event
      const run = runOf(memory)
      return run === null ? event : { ...event, open: OpenRequests.unanswered(run.requests) }
    }

    /** Written down before anything is done about it: whoever comes after this supervisor knows at least as much. */
    const apply = (event: InstanceEvent) =>
      Effect.suspend(() => {
        const { policy } = memory.parts
        // Who was idle when this was told is not any more. Nobody can come between this look and the new state.
        if (event._tag === "Idle") {
          const run = runOf(memory, event.incarnation)
          if (run === null || !Idleness.isIdle(run, policy.idleTimeoutMs, event.at)) return Effect.void
        }
        const { beside, commands, main } = Rollout.decide(policy, livesOf(memory), seen(event))
        if (main === memory.state && beside === memory.beside && commands.length === 0) return Effect.void
        memory.state = main
        memory.beside = beside
        // Timers begin now, and not when it was asked for: to keep the promise may have taken the disk long.
        return Effect.flatMap(now, (at) => {
          note(memory, commands, at)
          return InstanceRecord.write(store, memory, main)
        }).pipe(
          Effect.zipRight(registry.tell(name, main, wake)),
          Effect.zipRight(Effect.forEach(commands, perform, { discard: true })),
          Effect.zipRight(Effect.suspend(() => isSettled(main) ? sockets.release(name) : Effect.void))
        )
      })

    /** What a person asks for is on the disk before it is begun, or it is not begun. */
    const promise = (event: InstanceEvent) =>
      Effect.suspend(() => {
        if (!("cause" in event) || event.cause._tag !== "Person") return Effect.void
        const { wanted } = Rollout.decide(memory.parts.policy, livesOf(memory), event).main
        // The wish alone: what is to be done about it has not been done.
        return InstanceRecord.write(store, memory, { ...memory.state, wanted }).pipe(
          Effect.zipRight(store.flushed),
          Effect.tapError(() => InstanceRecord.write(store, memory, memory.state))
        )
      })

    const onEvent = ({ event, ticket, waiter }: Of<"Event">) =>
      Effect.gen(function*() {
        if (ticket !== null && !tasks.isCurrent(ticket)) return
        // Where nobody waits for an answer it was promised before.
        const promised = yield* Effect.either(waiter === null ? Effect.void : promise(event))
        if (promised._tag === "Left") {
          if (waiter !== null) yield* Deferred.fail(waiter.reply, promised.left)
          return
        }
        const before = livesOf(memory)
        yield* apply(event)
        if (waiter !== null) {
          waiter.changed = before.main.phase !== memory.state.phase || before.beside !== memory.beside
          memory.waiters.add(waiter)
        }
        if (memory.waiters.size > 0) yield* settle(memory)
      }).pipe(Effect.onError(() => waiter === null ? Effect.void : Deferred.fail(waiter.reply, lost(memory))))

    const onReconfigure = ({ config, group, reply }: Of<"Reconfigure">) =>
      Effect.gen(function*() {
        const old = memory.parts.scope
        memory.service = config
        const own = Overrides.apply(config, memory.overrides)
        memory.parts = yield* InstanceParts.build(own, group, services, memory.scope).pipe(Effect.provide(context))
        yield* close(old)
        if (memory.state.phase._tag === "Up") {
          // What the old check saw, and what it is looking at, does not count for the new one.
          const { incarnation } = memory.state
          const { policy } = memory.parts
          yield* perform({ _tag: policy.health === null ? "StopProbes" : "StartProbes", incarnation })
          yield* perform({ _tag: policy.idleTimeoutMs === 0 ? "StopWatchingIdle" : "WatchIdle", incarnation })
        }
        if (Wakes.sleepsInVain(memory)) yield* apply({ ...Wakes.forGood, at: yield* now })
        const run = runOf(memory)
        const isLimited = run === null || (yield* InstanceRun.limit(run, config))
        if (!isLimited) yield* apply({ ...Launching.relaunch, at: yield* now })
        yield* Deferred.succeed(reply, undefined)
      }).pipe(Effect.onError(() => Deferred.fail(reply, lost(memory))))

    const override = (overrides: Overrides.Overrides) =>
      Effect.suspend(() => {
        memory.overrides = overrides
        memory.parts = { ...memory.parts, config: Overrides.apply(memory.service, overrides) }
        return InstanceRecord.write(store, memory, memory.state)
      })

    /** On the disk before it is told, or as it was before. */
    const onOverride = ({ change, reply }: Of<"Override">) =>
      Effect.gen(function*() {
        const before = memory.overrides
        const kept = yield* Effect.either(
          override(Overrides.merge(before, change)).pipe(Effect.zipRight(store.flushed))
        )
        if (kept._tag === "Left") {
          yield* override(before)
          yield* Deferred.fail(reply, kept.left)
          return
        }
        yield* PublicSocket.move(memory, context)
        yield* Deferred.succeed(reply, undefined)
      }).pipe(Effect.onError(() => Deferred.fail(reply, lost(memory))))

    /** What the tasks told at the very end still happened; what is to be done about it is for whoever comes next. */
    const lastWord = (message: Message, wasCurrent: (ticket: Ticket<Task>) => boolean) =>
      Effect.suspend(() => {
        if (message._tag !== "Event" || message.waiter !== null) return turnAway(memory, [message])
        const { event, ticket } = message
        // A launch that had not begun was called off for the others' sake, not for its own.
        const { beside: { retiring, successor }, main } = livesOf(memory)
        const isCalledOff = event._tag === "LaunchAborted" && [main, successor, ...retiring].some((life) =>
          life?.incarnation === event.incarnation && life.phase._tag === "Launching"
        )
        if (isCalledOff || (ticket !== null && !wasCurrent(ticket))) return Effect.void
        const next = Rollout.decide(memory.parts.policy, livesOf(memory), event)
        memory.state = next.main
        memory.beside = next.beside
        note(memory, next.commands, event.at)
        return Effect.forEach(next.commands.filter(({ _tag }) => _tag === "Publish"), perform, { discard: true })
      })

    /** Whoever waits is told that it is not to be had here any more. */
    const end = Effect.suspend(() => {
      memory.over = true
      memory.closed = true
      const waiters = [...memory.waiters]
      memory.waiters.clear()
      return Effect.forEach(waiters, ({ reply }) => Deferred.fail(reply, lost(memory)), { discard: true })
    })

    const onRetire = ({ promise, reply }: Of<"Retire">) =>
      Effect.gen(function*() {
        const isIdle = isSettled(memory.state) && Rollout.isAlone(memory.beside)
        const promised = yield* Effect.either(isIdle ? promise : Effect.void)
        if (promised._tag === "Left" || !isIdle) {
          yield* promised._tag === "Left" ? Deferred.fail(reply, promised.left) : Deferred.succeed(reply, false)
          return
        }
        yield* end
        yield* turnAway(memory, yield* memory.mailbox.clear)
        yield* Deferred.succeed(reply, true)
        return yield* Effect.never
      }).pipe(Effect.onError(() => Deferred.fail(reply, lost(memory))))

    const onLeave = ({ reply }: Of<"Leave">) =>
      Effect.gen(function*() {
        yield* end
        const wasCurrent = yield* tasks.end
        yield* Effect.forEach(yield* memory.mailbox.clear, (message) => lastWord(message, wasCurrent), {
          discard: true
        })
        if (memory.log !== null) yield* memory.log.leave
        yield* InstanceRecord.write(store, memory, memory.state)
      }).pipe(
        Effect.uninterruptible,
        Effect.ensuring(Deferred.succeed(reply, undefined)),
        Effect.zipRight(Effect.never)
      )

    const handle = (message: Message): Effect.Effect<unknown> => {
      switch (message._tag) {
        case "Event":
          return onEvent(message)
        case "Override":
          return onOverride(message)
        case "Reconfigure":
          return onReconfigure(message)
        case "Defect":
          return Effect.failCause(message.cause)
        case "Retire":
          return onRetire(message)
        case "Leave":
          return onLeave(message)
      }
    }

    const goOn = Effect.flatMap(
      now,
      (at) =>
        Effect.forEach(
          Rollout.resume(memory.parts.policy, livesOf(memory), at),
          (command) => perform(untilDeadline(command, memory.deadlines, at)),
          { discard: true }
        )
    )
    // A defect in the midst of leaving makes it nobody's again.
    if (memory.over) return Effect.never
    return Effect.zipRight(goOn, Effect.forever(Effect.flatMap(Effect.orDie(memory.mailbox.take), handle)))
  })
