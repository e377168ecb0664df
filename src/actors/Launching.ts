/**
 * Begins the runs of an instance, and calls off those that are being begun.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Limits } from "../domain/Config.ts"
import { Logs } from "../layers/Logs.ts"
import { Store } from "../layers/Store.ts"
import { close } from "./Close.ts"
import * as Guard from "./Guard.ts"
import { type InstanceMemory, runOf, tell } from "./InstanceMemory.ts"
import type * as InstanceParts from "./InstanceParts.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as InstanceRun from "./InstanceRun.ts"
import { type Task, taskOf } from "./InstanceTask.ts"
import * as Standby from "./Standby.ts"
import type { Tasks } from "./Tasks.ts"

/**
 * What a launch asks for, of what all instances share.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs = Store | Logs | InstanceRun.Needs | InstanceParts.Shared

/** Why a launch failed, in words. A defect is one of the instance's layers', most likely, and not the actor's own. */
const failureOf = (cause: Cause.Cause<InstanceRun.LaunchError>): { readonly code: string; readonly message: string } =>
  Option.match(Cause.failureOption(cause), {
    onSome: (failure) => ({ code: "code" in failure ? failure.code : failure._tag, message: failure.message }),
    onNone: () => ({ code: "Defect", message: `it could not be started: ${Guard.firstLine(cause)}` })
  })

/**
 * What another run is asked for with, when a reload's limits cannot be put on the one there is.
 *
 * @since 0.1.0
 * @category constants
 */
export const relaunch = {
  _tag: "Restart",
  cause: { _tag: "Reload", keys: ["memory_limit_mb", "cpu_shares", "cpu_limit", "pids_limit"] }
} as const

/**
 * The launches of one instance.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (memory: InstanceMemory, tasks: Tasks<Task>, context: Context.Context<Needs>) => {
  const { name, settings } = memory.options

  /** Also if it is only being made: the next run is to be in that cgroup. */
  const takeStandby = Effect.suspend(() => {
    const { standby } = memory
    memory.standby = null
    return standby === null ? Effect.succeed(null) : Deferred.await(standby)
  })

  /** By the limits of now, or not at all. */
  const standbyFor = (limits: Limits) =>
    Effect.gen(function*() {
      const made = yield* takeStandby
      if (made === null || (yield* InstanceRun.limit(made, limits))) return made
      yield* close(made.scope)
      return null
    })

  /** For who sleeps. A launch that comes meanwhile waits for it. */
  const standBy = Effect.suspend(() => {
    const standby = Deferred.unsafeMake<Standby.Standby | null>(FiberId.none)
    memory.standby = standby
    return tasks.startSurely("standby", () =>
      Standby.make(name, memory.parts.config, memory.scope).pipe(
        Effect.onExit((exit) => Deferred.succeed(standby, Exit.isSuccess(exit) ? exit.value : null)),
        Effect.provide(context)
      ))
  })

  /** For who will not wake. */
  const standDown = Effect.flatMap(takeStandby, (made) => made === null ? Effect.void : close(made.scope))

  /** A launch has exactly one end that the actor hears of: launched, failed, or called off. */
  const launch = (incarnation: number) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.gen(function*() {
        const known = runOf(memory, incarnation)
        if (known !== null) return known
        const log = memory.log ?? (yield* Scope.extend(Context.get(context, Logs).open(name), memory.scope))
        memory.log = log
        const { config, isolation, readiness } = memory.parts
        const announce = InstanceRecord.announce(Context.get(context, Store), name)
        const standby = yield* standbyFor(config)
        const isBeside = memory.runs.some(({ isBeside }) => !isBeside)
        const options = { name, incarnation, isBeside, config, settings, readiness, isolation, log, standby, announce }
        const run = yield* InstanceRun.launch(options, memory.scope)
        memory.runs = [...memory.runs, run]
        // Of a file that was reloaded meanwhile.
        if (!(yield* InstanceRun.limit(run, memory.parts.config))) yield* tell(memory, relaunch, null)
        return run
      }))
      yield* Exit.isSuccess(exit)
        ? tell(memory, { _tag: "Launched", incarnation, pid: exit.value.process.pid }, null)
        : Cause.isInterruptedOnly(exit.cause)
        ? tell(memory, { _tag: "LaunchAborted", incarnation }, null)
        : tell(memory, { _tag: "LaunchFailed", incarnation, ...failureOf(exit.cause) }, null)
    }).pipe(Effect.uninterruptible, Effect.provide(context))

  /** What is being launched says itself how far it got; if nothing is, nobody else will. */
  const abort = (incarnation: number) => {
    const launching = taskOf("launch", incarnation)
    return tasks.has(launching)
      ? tasks.cancel(launching)
      : tasks.start(launching, () => {
        const run = runOf(memory, incarnation)
        return tell(
          memory,
          run === null
            ? { _tag: "LaunchAborted", incarnation }
            : { _tag: "Launched", incarnation, pid: run.process.pid },
          null
        )
      })
  }

  return { launch, abort, standBy, standDown }
}
