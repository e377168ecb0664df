/**
 * What an instance's actor does: each command of `decide`, performed through the layers. What it brings about comes back
 * as an event.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import type { Cause as Reason } from "../domain/Cause.ts"
import type { ExitReason } from "../domain/Exit.ts"
import type { Command } from "../domain/InstanceEvent.ts"
import { isAsleep, isSettled, label } from "../domain/InstanceState.ts"
import type { StateLabel } from "../domain/Views.ts"
import { Events } from "../layers/Events.ts"
import { Metrics } from "../layers/Metrics.ts"
import { close } from "./Close.ts"
import { dropRun, type InstanceMemory, runOf, settle, tell } from "./InstanceMemory.ts"
import type * as InstanceRun from "./InstanceRun.ts"
import { type Task, taskOf, tasksOf } from "./InstanceTask.ts"
import * as Launching from "./Launching.ts"
import { ReadinessRegistry } from "./ReadinessRegistry.ts"
import * as RunWatch from "./RunWatch.ts"
import type { Tasks, Ticket } from "./Tasks.ts"
import * as Wakes from "./Wakes.ts"

/**
 * What an instance's actor asks for, of what all instances share (`Embed.Machine`).
 *
 * @since 0.1.0
 * @category models
 */
export type Needs =
  | Launching.Needs
  | RunWatch.Needs
  | ReadinessRegistry

/**
 * How the run before an automatic restart ended, in one word.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reasonOf = ({ end }: Extract<Command, { readonly _tag: "CountRestart" }>): ExitReason =>
  end?.reason ?? "unknown"

/**
 * The performer of one actor's commands.
 *
 * @since 0.1.0
 * @category constructors
 */
export const performer = (memory: InstanceMemory, tasks: Tasks<Task>, context: Context.Context<Needs>) => {
  const { name, tellGroup } = memory.options
  const registry = Context.get(context, ReadinessRegistry)
  const events = Context.get(context, Events)
  const metrics = Context.get(context, Metrics)
  const { abort, launch, standBy, standDown } = Launching.make(memory, tasks, context)
  const watch = RunWatch.make(memory, context)

  const publish = (from: StateLabel, to: StateLabel, cause: Reason) =>
    events.publish({ _tag: "Transition", instance: name, incarnation: memory.state.incarnation, from, to, cause })

  const awaitDependencies = (incarnation: number, ticket: Ticket<Task>) =>
    registry.awaitReady(name, memory.parts.policy.dependsOn, (missing, down) =>
      Effect.gen(function*() {
        if (!tasks.isCurrent(ticket)) return
        const isNews = missing.join() !== memory.missing.join()
        memory.missing = missing
        memory.down = down
        const shown = label(memory.state.phase, memory.parts.policy.health)
        if (isNews) yield* publish(shown, shown, { _tag: "WaitingFor", services: missing })
        yield* settle(memory)
      })).pipe(Effect.zipRight(tell(memory, { _tag: "DependenciesReady", incarnation }, ticket)))

  const stopAwaiting = Effect.suspend(() => {
    memory.missing = []
    memory.down = []
    return tasks.cancel("dependencies")
  })

  const releaseRun = (incarnation: number) =>
    Effect.suspend(() => {
      const over = tasksOf(incarnation)
      memory.deadlines = Record.filter(memory.deadlines, (_, task) => !over.some((name) => name === task))
      const run = runOf(memory, incarnation)
      if (run === null) return tasks.cancel(...over)
      dropRun(memory, run)
      return tasks.cancel(...over).pipe(
        Effect.zipRight(close(run.scope)),
        Effect.zipRight(memory.state.phase._tag === "Sleeping" && memory.runs.length === 0 ? standBy : Effect.void)
      )
    })

  /** With what there is of the run; a command that comes when there is nothing any more is about nothing. */
  const withRun = (incarnation: number, body: (run: InstanceRun.InstanceRun) => Effect.Effect<void>) =>
    Effect.suspend(() => {
      const run = runOf(memory, incarnation)
      return run === null ? Effect.void : body(run)
    })

  const onRun = (
    kind: Parameters<typeof taskOf>[0],
    incarnation: number,
    task: (run: InstanceRun.InstanceRun, ticket: Ticket<Task>) => Effect.Effect<void>
  ) => withRun(incarnation, (run) => tasks.start(taskOf(kind, incarnation), (ticket) => task(run, ticket)))

  return (command: Command): Effect.Effect<void> => {
    switch (command._tag) {
      case "Publish":
        return Effect.zipRight(
          Wakes.count(memory, metrics, command),
          publish(command.from, command.to, command.cause)
        ).pipe(
          Effect.zipRight(isSettled(memory.state) && !isAsleep(memory.state) ? standDown : Effect.void)
        )
      case "AwaitDependencies":
        return tasks.start("dependencies", (ticket) => awaitDependencies(command.incarnation, ticket))
      case "StopAwaiting":
        return stopAwaiting
      case "Launch":
        return tasks.startSurely(taskOf("launch", command.incarnation), () => launch(command.incarnation))
      case "AbortLaunch":
        return abort(command.incarnation)
      case "WatchExit":
        return onRun("exit", command.incarnation, watch.exit)
      case "AwaitReadiness":
        return onRun("readiness", command.incarnation, watch.readiness)
      case "StopReadiness":
        return Effect.zipRight(
          tasks.cancel(taskOf("readiness", command.incarnation)),
          withRun(command.incarnation, ({ started }) => started)
        )
      case "StartProbes":
        return onRun("probes", command.incarnation, watch.probes)
      case "StopProbes":
        return tasks.cancel(taskOf("probes", command.incarnation))
      case "WatchIdle":
        return onRun("idle", command.incarnation, watch.idle)
      case "StopWatchingIdle":
        return tasks.cancel(taskOf("idle", command.incarnation))
      case "Signal":
        return withRun(command.incarnation, ({ process }) => process.signal(command.signal as NodeJS.Signals))
      case "SignalTree":
        return withRun(command.incarnation, ({ process }) => process.signalTree(command.signal as NodeJS.Signals))
      case "AwaitTree":
        return onRun("tree", command.incarnation, watch.tree)
      case "KillTree":
        return onRun("tree", command.incarnation, watch.kill)
      case "Drain":
        return onRun("drain", command.incarnation, watch.drain(command.limitMs))
      case "AwaitAnswers":
        return onRun("answers", command.incarnation, watch.answers(command.limitMs))
      case "ReleaseRun":
        return releaseRun(command.incarnation)
      case "ArmTimer": {
        const { delayMs, incarnation, timer } = command
        // Whole milliseconds, and never early.
        return tasks.start(taskOf(timer, incarnation), (ticket) =>
          Effect.zipRight(
            Effect.sleep(Math.ceil(delayMs)),
            tell(memory, { _tag: "Elapsed", incarnation, timer }, ticket)
          ))
      }
      case "CancelTimer":
        return tasks.cancel(taskOf(command.timer, command.incarnation))
      case "StepBackoff":
        return tasks.start(
          "backoff",
          (ticket) =>
            Effect.flatMap(memory.parts.backoff.at(memory.state.attempt), (delay) =>
              tell(
                memory,
                { _tag: "NextDelay", incarnation: command.incarnation, delayMs: Option.getOrNull(delay) },
                ticket
              ))
        )
      case "ResetBackoff":
        return memory.parts.backoff.reset
      case "CountRestart":
        return metrics.restarted(name, reasonOf(command))
      case "TellGroup":
        return tellGroup(command.delayMs)
    }
  }
}
