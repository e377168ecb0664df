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
import type { Saved } from "../domain/Saved.ts"
import { Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import * as ConfigDigest from "./ConfigDigest.ts"
import * as InstanceCommands from "./InstanceCommands.ts"
import { type InstanceMemory, tell } from "./InstanceMemory.ts"
import * as InstanceRun from "./InstanceRun.ts"

const isReason = Schema.is(ExitReason)

/**
 * Whether there is, or was until a moment ago, a process for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hasRun = ({ phase }: InstanceState): boolean =>
  phase._tag === "Starting" || phase._tag === "Up" || (phase._tag === "Ending" && phase.run !== null)

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
export const takeOver = Effect.fnUntraced(function*(memory: InstanceMemory, { restarts, run, state }: Saved) {
  const { name, settings } = memory.options
  const metrics = yield* Metrics
  for (const [reason, times] of Object.entries(restarts)) {
    if (isReason(reason)) yield* metrics.restarted(name, reason, times)
  }
  // A stop that was promised, and not begun.
  if (state.wanted === "stopped" && !isSettled(state)) {
    yield* tell(memory, { _tag: "Stop", cause: { _tag: "Person", verb: "stop" } }, null)
  }
  if (run === null || !hasRun(state)) return
  const log = yield* openLog(memory)
  memory.log = log
  const { config, readiness } = memory.parts
  const adopted = yield* InstanceRun.adopt({ name, settings, readiness, log }, run, memory.scope)
  memory.run = adopted
  if (adopted.config !== ConfigDigest.of(config)) {
    yield* tell(memory, { _tag: "Restart", cause: { _tag: "Reload", keys: [] } }, null)
  } else if (!(yield* InstanceRun.limit(adopted, config))) yield* tell(memory, InstanceCommands.relaunch, null)
})
