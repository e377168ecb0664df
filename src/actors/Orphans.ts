/**
 * What an earlier supervisor left running that nobody wants any more: the file has no such instance, or a person has
 * removed it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Settings } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Saved } from "../domain/Saved.ts"
import { bounded } from "../internal/bounded.ts"
import { Events } from "../layers/Events.ts"
import { Logs } from "../layers/Logs.ts"
import { services } from "../layers/Readiness.ts"
import { close } from "./Close.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import * as InstanceRun from "./InstanceRun.ts"
import * as Takeover from "./Takeover.ts"

/** The file that said how it likes to be stopped is gone: what services have by default. */
const signal = "SIGTERM"
const patience = "10 seconds"

const isEnding = ({ beside, state }: Saved, incarnation: number): boolean =>
  [state, ...beside?.retiring ?? []].some((one) => one.incarnation === incarnation && one.phase._tag === "Ending")

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
  const log = yield* Effect.option(Scope.extend(logs.open(name), scope))
  const readiness = services.started
  const options = { name, settings, readiness, log: log._tag === "Some" ? log.value : null }
  const adopted = yield* Effect.forEach(
    runs,
    (run, index) =>
      InstanceRun.adopt(
        { ...options, unfinished: index === runs.length - 1 ? saved.unfinished : undefined },
        run,
        scope
      )
  )
  const bringDown = ({ incarnation, process }: InstanceRun.InstanceRun) =>
    // One that was being stopped has heard it.
    Effect.suspend(() => isEnding(saved, incarnation) ? Effect.void : process.signal(signal)).pipe(
      Effect.zipRight(bounded(Effect.zipRight(process.exited, process.treeGone), patience)),
      Effect.zipRight(process.killTree)
    )
  return events.publish({
    _tag: "Notice",
    level: "warning",
    subject: name,
    message: "it was left by an earlier supervisor, and is in no file any more: it is stopped"
  }).pipe(
    Effect.zipRight(Effect.forEach(adopted, bringDown, { concurrency: adopted.length, discard: true })),
    Effect.zipRight(close(scope)),
    Effect.zipRight(forget)
  )
})
