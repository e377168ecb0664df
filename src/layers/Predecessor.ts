/**
 * The supervisor that started this one to take its place.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import * as Succession from "./internal/succession.ts"

/**
 * What it leaves, and what it is told.
 *
 * @since 0.1.0
 * @category models
 */
export interface Predecessor {
  /** Its listening sockets, by name. */
  readonly listeners: ReadonlyMap<string, number>
  /** Says that this one can take over, and waits until it may: because it was told so, or because the other is gone. */
  readonly turn: (
    about: Omit<Extract<Succession.FromSuccessor, { readonly _tag: "Ready" }>, "_tag">
  ) => Effect.Effect<void>
  /** This one has taken over. Connections that the other has, or still gets, come to `admit`. */
  readonly succeed: (admit: (door: string, connection: Net.Socket) => void) => Effect.Effect<void>
}

const decode = Schema.decodeUnknownEither(Succession.FromPredecessor)

const say = (message: Succession.FromSuccessor): Effect.Effect<void> =>
  // Who is gone has heard enough.
  Effect.async((resume) => {
    if (process.send === undefined || !process.connected) return resume(Effect.void)
    process.send(message, undefined, undefined, () => resume(Effect.void))
  })

/**
 * `null` for a supervisor that nobody started to take its place.
 *
 * @since 0.1.0
 * @category constructors
 */
export const find: Effect.Effect<Predecessor | null> = Effect.sync(() => {
  const { [Succession.variable]: names } = process.env
  delete process.env[Succession.variable]
  if (names === undefined || process.send === undefined) return null
  const turn = Deferred.unsafeMake<void>(FiberId.none)
  let admit: Parameters<Predecessor["succeed"]>[0] = (_, connection) => void connection.destroy()
  process.on("message", (said: unknown, handle: unknown) => {
    const message = decode(said)
    if (Either.isLeft(message)) return
    if (message.right._tag === "Yours") return Deferred.unsafeDone(turn, Exit.void)
    // It may have been closed on the way.
    if (handle instanceof Net.Socket) admit(message.right.door, handle)
  })
  // It may have been killed before this one came as far as this.
  if (process.connected) process.once("disconnect", () => Deferred.unsafeDone(turn, Exit.void))
  else Deferred.unsafeDone(turn, Exit.void)
  return {
    listeners: new Map(names.split(",").map((name, index) => [name, index + 3])),
    turn: (about) => Effect.zipRight(say({ _tag: "Ready", ...about }), Deferred.await(turn)),
    succeed: (admitting) =>
      Effect.suspend(() => {
        admit = admitting
        return say({ _tag: "InCharge" })
      })
  }
})

/**
 * Tells the supervisor that waits for this one, if there is one, why it will not take over.
 *
 * @since 0.1.0
 * @category combinators
 */
export const refuse = (message: string): Effect.Effect<void> => say({ _tag: "Failed", message })
