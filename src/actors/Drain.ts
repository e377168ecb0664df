/**
 * Waits for the end of what is open on a run that is to be stopped.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Connections } from "../layers/Connections.ts"
import type { InstanceRun } from "./InstanceRun.ts"
import * as OpenRequests from "./OpenRequests.ts"

/** `left` are still open when their time is over, and will not be answered. */
const overdue = (requests: OpenRequests.OpenRequests, left: number): number => {
  if (left > 0) requests.isOverdue = true
  return left
}

/**
 * Until no request has an answer to come, or for `limitMs`; gives how many had then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const answers = (requests: OpenRequests.OpenRequests, limitMs: number): Effect.Effect<number> =>
  OpenRequests.answered(requests).pipe(
    Effect.timeoutOption(limitMs),
    Effect.map(() => overdue(requests, OpenRequests.unanswered(requests)))
  )

/** How often the kernel is asked, while a run is drained and nothing that we know of is open on it. */
const lookMs = 50

/**
 * Until nothing is open, or for `limitMs`; gives what was still open then. What came by the public path and not through
 * the gateway is known to the kernel alone.
 *
 * A client may have looked up the path before it led to the next run and be about to connect: each look is taken after a
 * moment.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait = (
  { endpoint, process, requests }: Pick<InstanceRun, "endpoint" | "process" | "requests">,
  connections: Context.Tag.Service<Connections>,
  limitMs: number
): Effect.Effect<number> => {
  const open = Effect.gen(function*() {
    if (requests.open > 0) return requests.open
    const pid = (yield* process.programPid) ?? process.pid
    const connected = (yield* connections.open(endpoint, pid)) ?? 0
    // The gateway's own, which it keeps for the next request, carry none.
    return Math.max(requests.open, connected - requests.connections)
  })
  return OpenRequests.none(requests).pipe(
    Effect.zipRight(Effect.sleep(lookMs)),
    Effect.zipRight(open),
    Effect.repeat({ until: (count) => count === 0 }),
    Effect.timeoutOption(limitMs),
    Effect.flatMap((drained) => Option.isSome(drained) ? Effect.succeed(0) : open),
    Effect.map((left) => overdue(requests, left))
  )
}
