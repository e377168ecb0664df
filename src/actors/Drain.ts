/**
 * Waits for the end of what is open on a run that was replaced.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as OpenRequests from "./OpenRequests.ts"

/** How often the kernel is asked, while a run is drained and nothing that we know of is open on it. */
const lookMs = 50

/**
 * Until nothing is open, or for `limitMs`; gives what was still open then. `connections` are those that the kernel knows
 * of, among them what came by the public path and not through the gateway; `null` where it cannot be told.
 *
 * A client may have looked up the path before it led to the next run and be about to connect: each look is taken after a
 * moment.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait = (
  { connections, limitMs, requests }: {
    readonly requests: OpenRequests.OpenRequests
    readonly connections: Effect.Effect<number | null>
    readonly limitMs: number
  }
): Effect.Effect<number> => {
  const open = Effect.map(connections, (count) => Math.max(requests.open, count ?? 0))
  return OpenRequests.none(requests).pipe(
    Effect.zipRight(Effect.sleep(lookMs)),
    Effect.zipRight(open),
    Effect.repeat({ until: (count) => count === 0 }),
    Effect.timeoutOption(limitMs),
    Effect.flatMap((drained) => Option.isSome(drained) ? Effect.succeed(0) : open)
  )
}
