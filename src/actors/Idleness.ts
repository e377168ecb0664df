/**
 * Finds out that nobody uses a run.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Instant } from "../domain/Instant.ts"
import type { Connections } from "../layers/Connections.ts"
import type { InstanceRun } from "./InstanceRun.ts"
import { now } from "./Now.ts"
import * as OpenRequests from "./OpenRequests.ts"

/** What was connected for a moment, as a health check is, has gone after this. */
const aMoment = "1 second"

/**
 * Whether no request is open, and none was for so long.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isIdle = ({ requests }: InstanceRun, idleMs: number, at: Instant): boolean =>
  requests.open === 0 && at.mono - requests.lastAt >= idleMs

/**
 * Tells when nobody has used the run for so long, beginning now, and again if that was not heard. Sleeps until the time
 * may have come; only then it looks who is connected by another way than through the gateway.
 *
 * @since 0.1.0
 * @category combinators
 */
export const watch = (options: {
  readonly run: InstanceRun
  readonly idleMs: number
  readonly connections: Context.Tag.Service<Connections>
  readonly tell: (afterMs: number) => Effect.Effect<void>
}): Effect.Effect<never> => {
  const { connections, idleMs, run, tell } = options
  const { endpoint, process, requests } = run

  const isConnected = Effect.gen(function*() {
    const pid = yield* process.programPid
    const open = pid === null ? null : yield* connections.open(endpoint, pid)
    return open !== null && open > requests.connections
  })
  const staysConnected = Effect.flatMap(
    isConnected,
    (is) => is ? Effect.delay(isConnected, aMoment) : Effect.succeed(false)
  )

  const touch = Effect.map(now, ({ mono }) => OpenRequests.touch(requests, mono))

  const look = Effect.gen(function*() {
    yield* OpenRequests.none(requests)
    const left = requests.lastAt + idleMs - (yield* now).mono
    if (left > 0) return yield* Effect.sleep(Math.ceil(left))
    if (yield* staysConnected) return yield* touch
    const at = yield* now
    if (!isIdle(run, idleMs, at)) return
    yield* tell(at.mono - requests.lastAt)
    yield* Effect.sleep(idleMs)
  })
  return Effect.zipRight(touch, Effect.forever(look))
}
