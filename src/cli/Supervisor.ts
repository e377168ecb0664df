/**
 * The supervisor that a command asks.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Session } from "./Session.ts"

/**
 * A client of the supervisor: of the one whose socket is named, else of the one the file describes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = Effect.gen(function*() {
  const { globals } = yield* Session
  const socket = globals.socket ?? "/run/tenement/tenement.sock"
  // Half of what a command has to load is for this, and some commands ask nobody.
  const { make } = yield* Effect.promise(() => import("../control/Client.ts"))
  return yield* make(socket)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Supervisor = Effect.Effect.Success<typeof connect>

const transport: ReadonlySet<string> = new Set(["NoSupervisor", "NotAllowed", "ConnectionLost", "UnexpectedAnswer"])

/**
 * Whether an error says that nobody can be asked anything, whatever the instance.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isUnreachable = (error: { readonly _tag: string }): boolean => transport.has(error._tag)
