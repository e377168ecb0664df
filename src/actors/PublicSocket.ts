/**
 * Keeps the way to an instance that runs.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Endpoint } from "../layers/Endpoint.ts"
import type { SocketUnusable } from "../layers/Errors.ts"
import type { Sockets } from "../layers/Sockets.ts"

/**
 * A look at the public path, to be taken now and then: what cleans up `/tmp` takes links that are old. Where it no
 * longer leads to the run, it is published again, and that is told; that it cannot be is told once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const keeper = ({ endpoint, notice, publish, sockets }: {
  readonly sockets: typeof Sockets.Service
  readonly endpoint: Endpoint
  readonly publish: Effect.Effect<void, SocketUnusable>
  readonly notice: (message: string) => Effect.Effect<void>
}): Effect.Effect<void> => {
  let told = ""
  return Effect.flatMap(
    Effect.suspend(() => sockets.leads(endpoint)),
    (leads) =>
      leads ? Effect.void : Effect.matchEffect(publish, {
        onSuccess: () => {
          told = ""
          return notice(`${endpoint.publicPath} no longer led to it, and was made anew`)
        },
        onFailure: ({ message }) => {
          if (told === message) return Effect.void
          told = message
          return notice(message)
        }
      })
  )
}
