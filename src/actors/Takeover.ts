/**
 * Takes an instance over from the supervisor that wrote it down: its process, its log, its place in the backoff.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { ExitReason } from "../domain/Exit.ts"
import { type InstanceState, isSettled } from "../domain/InstanceState.ts"
import type { Saved, SavedRun } from "../domain/Saved.ts"
import { Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import * as ConfigDigest from "./ConfigDigest.ts"
import * as InstanceCommands from "./InstanceCommands.ts"
import { type InstanceMemory, runOf, tell } from "./InstanceMemory.ts"
import * as InstanceRun from "./InstanceRun.ts"

const isReason = Schema.is(ExitReason)

/**
 * Whether there is, or was until a moment ago, a process for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hasRun = ({ phase }: InstanceState): boolean =>
  // A supervisor that made way may have launched it and not come to say so.
  phase._tag === "Launching" || phase._tag === "Starting" || phase._tag === "Up" ||
  (phase._tag === "Ending" && phase.run !== null)

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
  const runs = runsOf(saved)
  if (runs.length === 0) return
  const log = yield* openLog(memory)
  memory.log = log
  const { config, readiness } = memory.parts
  // Oldest first: what the newest prints is what the log goes on with.
  memory.runs = yield* Effect.forEach(
    [...runs].sort((a, b) => a.incarnation - b.incarnation),
    (run, index) => {
      const unfinished = index === runs.length - 1 ? saved.unfinished : undefined
      return InstanceRun.adopt({ name, settings, readiness, log, unfinished }, run, memory.scope)
    }
  )
  const adopted = runOf(memory)
  if (adopted === null) return
  if (adopted.config !== ConfigDigest.of(config)) {
    yield* tell(memory, { _tag: "Restart", cause: { _tag: "Reload", keys: [] } }, null)
  } else if (!(yield* InstanceRun.limit(adopted, config))) yield* tell(memory, InstanceCommands.relaunch, null)
})
