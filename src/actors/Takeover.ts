/**
 * Takes an instance over from the supervisor that wrote it down: its process, its log, its place in the backoff.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Settings } from "../domain/Config.ts"
import { ExitReason } from "../domain/Exit.ts"
import { type InstanceState, isSettled } from "../domain/InstanceState.ts"
import type { Instant } from "../domain/Instant.ts"
import { parts } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import type { Deadlines, Saved, SavedRun } from "../domain/Saved.ts"
import { Cgroups } from "../layers/Cgroups.ts"
import { Launcher } from "../layers/Launcher.ts"
import { Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import * as ConfigDigest from "./ConfigDigest.ts"
import { type InstanceMemory, runOf, tell } from "./InstanceMemory.ts"
import type { Inheritance } from "./InstanceRecord.ts"
import * as InstanceRun from "./InstanceRun.ts"
import * as Launching from "./Launching.ts"
import { now } from "./Now.ts"
import * as Wakes from "./Wakes.ts"

const isReason = Schema.is(ExitReason)

/**
 * Whether there is, or was until a moment ago, a process for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hasRun = ({ phase }: InstanceState): boolean =>
  // Of one that is being launched, or was called off, the supervisor may not have come to say that it runs.
  phase._tag === "Launching" || phase._tag === "Starting" || phase._tag === "Up" || phase._tag === "Ending"

/**
 * All runs of it that there are, or were until a moment ago: the one that serves, and those beside it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const runsOf = ({ beside, run, state }: Saved): ReadonlyArray<SavedRun> => {
  const own = run !== null && hasRun(state) ? [run] : []
  if (beside === undefined) return own
  const states = [...beside.retiring, ...(beside.successor === null ? [] : [beside.successor])].filter(hasRun)
  return [...own, ...beside.runs.filter((other) => states.some(({ incarnation }) => incarnation === other.incarnation))]
}

/** As many at once: most are gone already, and all share what it costs to look. */
const clearedAtOnce = 1000

/**
 * For before anything is started: a launch that was cut short has left processes that are no run's. Where there are cgroups
 * they are in one; where there are none, they are of the session of a process that was written down before its program ran.
 *
 * @since 0.1.0
 * @category combinators
 */
export const clear = Effect.fn("Takeover.clear")(function*({ instances, launched }: Inheritance, settings: Settings) {
  const { sweep } = yield* Cgroups
  const { adopt } = yield* Launcher
  const kept = [...instances].flatMap(([instance, saved]) => runsOf(saved).map((run) => ({ instance, run })))
  yield* sweep(kept.map(({ instance, run: { incarnation, isBeside } }) => ({
    instance,
    beside: isBeside ? incarnation : null
  })))
  const known = new Set(kept.map(({ run: { pid, startTime } }) => `${pid} ${startTime}`))
  const cutShort = [...launched].filter(([, { pid, startTime }]) => !known.has(`${pid} ${startTime}`))
  yield* Effect.forEach(cutShort, ([name, identity]) => {
    const { id, service } = parts(name)
    const instanceDir = Places.instanceDir(settings, service, id)
    return Effect.scoped(
      Effect.flatMap(adopt({ ...identity, wrapper: null, cgroup: null, instanceDir }), ({ killTree }) => killTree)
    )
  }, { concurrency: clearedAtOnce, discard: true })
})

/** How long it takes at most until it is known of an instance that it got ready while nobody looked. */
const noticeMs = 5000

/** A time that was over while nobody looked is over when there was time to look. */
const noticing = (deadlines: Deadlines, { mono }: Instant): Deadlines =>
  Record.map(deadlines, (at, task) => task.startsWith("startup ") ? Math.max(at, mono + noticeMs) : at)

/**
 * Whose lines the log goes on with: with several runs, it is the newest's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const newestOf = (runs: ReadonlyArray<SavedRun>): number =>
  Math.max(...runs.map(({ incarnation }) => incarnation))

const openLog = ({ options: { name }, scope }: InstanceMemory) =>
  Effect.flatMap(Logs, (logs) => Scope.extend(logs.open(name), scope)).pipe(
    Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message), null))
  )

/**
 * For before the actor runs. A run that the configuration does not describe any more, or whose limits cannot be what it
 * says now, is replaced as by a reload.
 *
 * @since 0.1.0
 * @category combinators
 */
export const takeOver = Effect.fnUntraced(function*(memory: InstanceMemory, saved: Saved) {
  const { name, settings } = memory.options
  const { restarts, state } = saved
  const metrics = yield* Metrics
  for (const [reason, times] of Object.entries(restarts)) {
    if (isReason(reason)) yield* metrics.restarted(name, reason, times)
  }
  // A stop that was promised, and not begun.
  if (state.wanted === "stopped" && !isSettled(state)) {
    yield* tell(memory, { _tag: "Stop", cause: { _tag: "Person", verb: "stop" } }, null)
  }
  if (Wakes.sleepsInVain(memory)) yield* tell(memory, Wakes.forGood, null)
  const runs = runsOf(saved)
  if (runs.length === 0) return
  const log = yield* openLog(memory)
  memory.log = log
  const { config, readiness } = memory.parts
  memory.deadlines = noticing(memory.deadlines, yield* now)
  if (log !== null) yield* log.resume(newestOf(runs))
  memory.runs = yield* Effect.forEach(
    [...runs].sort((a, b) => a.incarnation - b.incarnation),
    (run) => InstanceRun.adopt({ name, settings, readiness, log }, run, memory.scope)
  )
  const adopted = runOf(memory)
  if (adopted === null) return
  if (adopted.config !== ConfigDigest.of(config)) {
    yield* tell(memory, { _tag: "Restart", cause: { _tag: "Reload", keys: [] } }, null)
  } else if (!(yield* InstanceRun.limit(adopted, config))) yield* tell(memory, Launching.relaunch, null)
})
