/**
 * Keeps the way to an instance that runs.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { parts as namesOf } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import type { SocketUnusable } from "../layers/Errors.ts"
import { Events } from "../layers/Events.ts"
import { Sockets } from "../layers/Sockets.ts"
import { type InstanceMemory, runOf } from "./InstanceMemory.ts"

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

/**
 * Leads the public path that the instance has now to its run, if it had another one before. The path that all instances
 * share leads to it still until another has it; one of its own that it needs no longer does not.
 *
 * @since 0.1.0
 * @category combinators
 */
export const move = (memory: InstanceMemory, context: Context.Context<Sockets | Events>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { name, settings } = memory.options
    const { config } = memory.parts
    const path = Places.publicSocket(settings, config, namesOf(name).id)
    const run = runOf(memory)
    if (run === null || run.endpoint.publicPath === path) return
    const sockets = Context.get(context, Sockets)
    const before = { ...run.endpoint }
    run.endpoint.publicPath = path
    if (memory.state.phase._tag !== "Up") return
    const isShared = before.publicPath === Places.sharedSocket(settings, config)
    yield* sockets.publish({ instance: name, endpoint: run.endpoint, mode: config.socketMode })
      .pipe(
        Effect.zipRight(isShared ? Effect.void : sockets.withdraw(before)),
        Effect.catchAll(({ message }) =>
          Context.get(context, Events).publish({ _tag: "Notice", level: "warning", subject: name, message })
        )
      )
  })
