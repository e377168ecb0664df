/**
 * What an earlier supervisor left running that nobody wants any more: the file has no such instance, or a person has
 * removed it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Settings } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Deadlines, Saved } from "../domain/Saved.ts"
import { bounded } from "../internal/bounded.ts"
import { Events } from "../layers/Events.ts"
import { Logs } from "../layers/Logs.ts"
import { services } from "../layers/Readiness.ts"
import { close } from "./Close.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as InstanceRun from "./InstanceRun.ts"
import { taskOf } from "./InstanceTask.ts"
import { now } from "./Now.ts"
import * as Takeover from "./Takeover.ts"

/** The file that said how it likes to be stopped is gone: what services have by default. */
const signal = "SIGTERM"
const patienceMs = 10_000

const isEnding = ({ beside, state }: Saved, incarnation: number): boolean =>
  [state, ...beside?.retiring ?? []].some(({ incarnation: own, phase }) =>
    // One whose launch was called off too late has not heard it, nor has one that was waited for to answer its requests.
    own === incarnation && phase._tag === "Ending" && phase.run !== null && phase.means !== "drain"
  )

/**
 * Takes it into the scope, at once; what it gives brings it to its end, as a stop does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const end = Effect.fnUntraced(function*(name: InstanceName, saved: Saved, settings: Settings) {
  const logs = yield* Logs
  const events = yield* Events
  const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
  const forget = Effect.zipRight(logs.forget(name), InstanceRecord.forget(name))
  const runs = Takeover.runsOf(saved)
  if (runs.length === 0) return forget
  const log = Option.getOrNull(yield* Effect.option(Scope.extend(logs.open(name), scope)))
  if (log !== null) yield* log.resume(Takeover.newestOf(runs))
  const options = { name, settings, readiness: services.started, log }
  const adopted = yield* Effect.forEach(runs, (run) => InstanceRun.adopt(options, run, scope))
  const { mono } = yield* now
  const deadlines: Deadlines = {
    ...Object.fromEntries(runs.map(({ incarnation }) => [taskOf("stop", incarnation), mono + patienceMs])),
    ...saved.deadlines
  }
  const bringDown = ({ incarnation, process }: InstanceRun.InstanceRun) => {
    const task = taskOf("stop", incarnation)
    // One that was being stopped has heard it, and has no more time than it had.
    const hasHeard = isEnding(saved, incarnation) || saved.deadlines[task] !== undefined
    return (hasHeard ? Effect.void : process.signal(signal)).pipe(
      Effect.zipRight(
        bounded(Effect.zipRight(process.exited, process.treeGone), Math.max(0, (deadlines[task] ?? mono) - mono))
      ),
      Effect.zipRight(process.killTree)
    )
  }
  return events.publish({
    _tag: "Notice",
    level: "warning",
    subject: name,
    message: "it was left by an earlier supervisor, and is in no file any more: it is stopped"
  }).pipe(
    // Should this supervisor die meanwhile, the next one does not ask again.
    Effect.zipRight(InstanceRecord.writeAsked(name, saved, deadlines)),
    Effect.zipRight(Effect.forEach(adopted, bringDown, { concurrency: adopted.length, discard: true })),
    Effect.zipRight(close(scope)),
    Effect.zipRight(forget)
  )
})
