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
import { label } from "../domain/InstanceState.ts"
import { parts as namesOf } from "../domain/Names.ts"
import type { StateLabel } from "../domain/Views.ts"
import { Connections } from "../layers/Connections.ts"
import { Events } from "../layers/Events.ts"
import { Metrics } from "../layers/Metrics.ts"
import type { Survivor } from "../layers/Process.ts"
import { Sockets } from "../layers/Sockets.ts"
import { close } from "./Close.ts"
import * as Drain from "./Drain.ts"
import * as HealthLoop from "./HealthLoop.ts"
import * as Idleness from "./Idleness.ts"
import { dropRun, type InstanceMemory, runOf, settle, type Task, taskOf, tasksOf, tell } from "./InstanceMemory.ts"
import type * as InstanceRun from "./InstanceRun.ts"
import * as Launching from "./Launching.ts"
import * as PublicSocket from "./PublicSocket.ts"
import { ReadinessRegistry } from "./ReadinessRegistry.ts"
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
  | Events
  | Metrics
  | Connections
  | ReadinessRegistry

/**
 * How the run before an automatic restart ended, in one word.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reasonOf = ({ end }: Extract<Command, { readonly _tag: "CountRestart" }>): ExitReason =>
  end?.reason ?? "unknown"

/** How long everything that was killed may take to die. */
const killPatience = "5 seconds"

const spare = (survivors: ReadonlyArray<Survivor>): string =>
  survivors.map(({ isPermitted, pid, state }) =>
    isPermitted ? `pid ${pid} (state ${state})` : `pid ${pid} (of another user, which the supervisor may not signal)`
  ).join(", ") + " survives SIGKILL; it is waited for"

/**
 * Tells of what the kernel killed in the run for memory, which its main process may have outlived.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lookAtMemory = (memory: InstanceMemory, context: Context.Context<Needs>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { name } = memory.options
    const run = runOf(memory)
    if (run === null || !(yield* run.outOfMemory.isNews)) return
    yield* Context.get(context, Metrics).oomKilled(name)
    const { memoryLimitBytes } = memory.parts.config
    const why = memoryLimitBytes === null
      ? "the machine has no more"
      : `memory_limit_mb is ${memoryLimitBytes / 1024 ** 2}`
    const message = `the kernel killed a process of it for memory: ${why}`
    yield* Context.get(context, Events).publish({ _tag: "Notice", level: "warning", subject: name, message })
  })

/**
 * The performer of one actor's commands.
 *
 * @since 0.1.0
 * @category constructors
 */
export const performer = (memory: InstanceMemory, tasks: Tasks<Task>, context: Context.Context<Needs>) => {
  const { name, tellGroup } = memory.options
  const registry = Context.get(context, ReadinessRegistry)
  const connections = Context.get(context, Connections)
  const events = Context.get(context, Events)
  const metrics = Context.get(context, Metrics)
  const sockets = Context.get(context, Sockets)
  const { abort, launch } = Launching.make(memory, tasks, context)

  const publish = (from: StateLabel, to: StateLabel, cause: Reason) =>
    events.publish({ _tag: "Transition", instance: name, incarnation: memory.state.incarnation, from, to, cause })

  const warn = (message: string) => events.publish({ _tag: "Notice", level: "warning", subject: name, message })

  // Suspended: what a function with a span gives is large, and would be kept with the task.
  const publishSocket = ({ endpoint }: InstanceRun.InstanceRun) =>
    Effect.suspend(() => sockets.publish({ instance: name, endpoint, mode: memory.parts.config.socketMode }))

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

  const watchExit = (incarnation: number, run: InstanceRun.InstanceRun, ticket: Ticket<Task>) =>
    Effect.gen(function*() {
      const { outOfMemory, process } = run
      const status = yield* process.exited
      if (yield* outOfMemory.isNews) yield* metrics.oomKilled(name)
      const oomKilled = yield* outOfMemory.explains(status)
      const stragglers = yield* process.hasStragglers
      yield* tell(memory, { _tag: "Exited", incarnation, status, oomKilled, stragglers }, ticket)
    })

  const awaitReadiness = (incarnation: number, run: InstanceRun.InstanceRun, ticket: Ticket<Task>) =>
    run.ready((detail) => tell(memory, { _tag: "NotReadyYet", incarnation, detail }, ticket)).pipe(
      Effect.zipLeft(publishSocket(run)),
      Effect.flatMap((by) => tell(memory, { _tag: "Ready", incarnation, by }, ticket)),
      Effect.catchAll(({ code, message }) => tell(memory, { _tag: "LaunchFailed", incarnation, code, message }, ticket))
    )

  const probe = (incarnation: number, run: InstanceRun.InstanceRun, ticket: Ticket<Task>) => {
    const { endpoint } = run
    const keep = PublicSocket.keeper({
      sockets,
      endpoint,
      publish: publishSocket(run),
      notice: warn
    })
    // The next run takes the path over a moment before it is told to be ready.
    const lead = Effect.suspend(() =>
      memory.state.incarnation === incarnation && memory.beside.successor === null ? keep : Effect.void
    )
    return HealthLoop.run({
      check: memory.parts.health,
      endpoint,
      intervalMs: memory.parts.config.healthIntervalMs,
      tell: (healthy, detail, seconds) =>
        metrics.probed(namesOf(name).service, seconds).pipe(
          Effect.zipRight(healthy ? Effect.void : lookAtMemory(memory, context)),
          Effect.zipRight(lead),
          Effect.zipRight(tell(memory, { _tag: "Probed", incarnation, healthy, detail }, ticket))
        )
    })
  }

  const drained = (incarnation: number, wait: Effect.Effect<number>, ticket: Ticket<Task>) =>
    Effect.flatMap(wait, (left) => tell(memory, { _tag: "Drained", incarnation, left }, ticket))

  const watchIdle = (incarnation: number, run: InstanceRun.InstanceRun, ticket: Ticket<Task>) =>
    Idleness.watch({
      run,
      idleMs: memory.parts.policy.idleTimeoutMs,
      connections,
      tell: (afterMs) => tell(memory, { _tag: "Idle", incarnation, afterMs }, ticket)
    })

  /** Until nothing is left, however long it takes; once it takes long, with a word of what is. */
  const killed = ({ process }: InstanceRun.InstanceRun) =>
    Effect.raceFirst(
      process.killTree,
      Effect.sleep(killPatience).pipe(
        Effect.zipRight(process.survivors),
        Effect.flatMap((survivors) => survivors.length === 0 ? Effect.void : warn(spare(survivors))),
        Effect.zipRight(Effect.never)
      )
    )

  const treeGone = (incarnation: number, wait: Effect.Effect<void>, ticket: Ticket<Task>) =>
    Effect.zipRight(wait, tell(memory, { _tag: "TreeGone", incarnation }, ticket))

  const releaseRun = (incarnation: number) =>
    Effect.suspend(() => {
      const over = tasksOf(incarnation)
      memory.deadlines = Record.filter(memory.deadlines, (_, task) => !over.some((name) => name === task))
      const run = runOf(memory, incarnation)
      if (run === null) return tasks.cancel(...over)
      dropRun(memory, run)
      return Effect.zipRight(tasks.cancel(...over), close(run.scope))
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
        return onRun("exit", command.incarnation, (run, ticket) => watchExit(command.incarnation, run, ticket))
      case "AwaitReadiness":
        return onRun(
          "readiness",
          command.incarnation,
          (run, ticket) => awaitReadiness(command.incarnation, run, ticket)
        )
      case "StopReadiness":
        return Effect.zipRight(
          tasks.cancel(taskOf("readiness", command.incarnation)),
          withRun(command.incarnation, ({ started }) => started)
        )
      case "StartProbes":
        return onRun("probes", command.incarnation, (run, ticket) => probe(command.incarnation, run, ticket))
      case "StopProbes":
        return tasks.cancel(taskOf("probes", command.incarnation))
      case "WatchIdle":
        return onRun("idle", command.incarnation, (run, ticket) => watchIdle(command.incarnation, run, ticket))
      case "StopWatchingIdle":
        return tasks.cancel(taskOf("idle", command.incarnation))
      case "Signal":
        return withRun(command.incarnation, ({ process }) => process.signal(command.signal as NodeJS.Signals))
      case "SignalTree":
        return withRun(command.incarnation, ({ process }) => process.signalTree(command.signal as NodeJS.Signals))
      case "AwaitTree":
        return onRun(
          "tree",
          command.incarnation,
          ({ process }, ticket) => treeGone(command.incarnation, process.treeGone, ticket)
        )
      case "KillTree":
        return onRun("tree", command.incarnation, (run, ticket) => treeGone(command.incarnation, killed(run), ticket))
      case "Drain":
        return onRun(
          "drain",
          command.incarnation,
          (run, ticket) => drained(command.incarnation, Drain.wait(run, connections, command.limitMs), ticket)
        )
      case "AwaitAnswers":
        return onRun(
          "answers",
          command.incarnation,
          ({ requests }, ticket) => drained(command.incarnation, Drain.answers(requests, command.limitMs), ticket)
        )
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
