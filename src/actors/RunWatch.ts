/**
 * What an instance's actor waits for of a run that has begun; each comes back as an event.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { parts as namesOf } from "../domain/Names.ts"
import { Connections } from "../layers/Connections.ts"
import { Events } from "../layers/Events.ts"
import { Metrics } from "../layers/Metrics.ts"
import type { Survivor } from "../layers/Process.ts"
import { Sockets } from "../layers/Sockets.ts"
import * as Drain from "./Drain.ts"
import * as HealthLoop from "./HealthLoop.ts"
import * as Idleness from "./Idleness.ts"
import { type InstanceMemory, runOf, tell } from "./InstanceMemory.ts"
import type * as InstanceRun from "./InstanceRun.ts"
import type { Task } from "./InstanceTask.ts"
import * as PublicSocket from "./PublicSocket.ts"
import type { Ticket } from "./Tasks.ts"

/**
 * What it asks for, of what all instances share.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs = Connections | Events | Metrics | Sockets

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
 * The watches of one actor.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (memory: InstanceMemory, context: Context.Context<Needs>) => {
  const { name } = memory.options
  const connections = Context.get(context, Connections)
  const events = Context.get(context, Events)
  const metrics = Context.get(context, Metrics)
  const sockets = Context.get(context, Sockets)

  const warn = (message: string) => events.publish({ _tag: "Notice", level: "warning", subject: name, message })

  // Suspended: what a function with a span gives is large, and would be kept with the task.
  const publishSocket = ({ endpoint }: InstanceRun.InstanceRun) =>
    Effect.suspend(() => sockets.publish({ instance: name, endpoint, mode: memory.parts.config.socketMode }))

  type Watch = (run: InstanceRun.InstanceRun, ticket: Ticket<Task>) => Effect.Effect<void>

  const exit: Watch = ({ incarnation, outOfMemory, process }, ticket) =>
    Effect.gen(function*() {
      const status = yield* process.exited
      if (yield* outOfMemory.isNews) yield* metrics.oomKilled(name)
      const oomKilled = yield* outOfMemory.explains(status)
      const stragglers = yield* process.hasStragglers
      yield* tell(memory, { _tag: "Exited", incarnation, status, oomKilled, stragglers }, ticket)
    })

  const readiness: Watch = (run, ticket) => {
    const { incarnation } = run
    return run.ready((detail) => tell(memory, { _tag: "NotReadyYet", incarnation, detail }, ticket)).pipe(
      Effect.zipLeft(publishSocket(run)),
      Effect.flatMap((by) => tell(memory, { _tag: "Ready", incarnation, by }, ticket)),
      Effect.catchAll(({ code, message }) => tell(memory, { _tag: "LaunchFailed", incarnation, code, message }, ticket))
    )
  }

  const probes: Watch = (run, ticket) => {
    const { endpoint, incarnation } = run
    const keep = PublicSocket.keeper({ sockets, endpoint, publish: publishSocket(run), notice: warn })
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

  const idle: Watch = (run, ticket) =>
    Idleness.watch({
      run,
      idleMs: memory.parts.policy.idleTimeoutMs,
      connections,
      tell: (afterMs) => tell(memory, { _tag: "Idle", incarnation: run.incarnation, afterMs }, ticket)
    })

  const drained = (wait: (run: InstanceRun.InstanceRun) => Effect.Effect<number>): Watch => (run, ticket) =>
    Effect.flatMap(
      wait(run),
      (left) => tell(memory, { _tag: "Drained", incarnation: run.incarnation, left }, ticket)
    )

  const drain = (limitMs: number) => drained((run) => Drain.wait(run, connections, limitMs))

  const answers = (limitMs: number) => drained(({ requests }) => Drain.answers(requests, limitMs))

  const gone = (wait: Effect.Effect<void>, { incarnation }: InstanceRun.InstanceRun, ticket: Ticket<Task>) =>
    Effect.zipRight(wait, tell(memory, { _tag: "TreeGone", incarnation }, ticket))

  const tree: Watch = (run, ticket) => gone(run.process.treeGone, run, ticket)

  /** Until nothing is left, however long it takes; once it takes long, with a word of what is. */
  const kill: Watch = (run, ticket) =>
    gone(
      Effect.raceFirst(
        run.process.killTree,
        Effect.sleep(killPatience).pipe(
          Effect.zipRight(run.process.survivors),
          Effect.flatMap((survivors) => survivors.length === 0 ? Effect.void : warn(spare(survivors))),
          Effect.zipRight(Effect.never)
        )
      ),
      run,
      ticket
    )

  return { exit, readiness, probes, idle, drain, answers, tree, kill }
}
