/** @internal */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { codeOf } from "../../internal/errno.ts"
import type { Address } from "../Endpoint.ts"

/** Connects and hangs up. Fails with the errno name. */
export const connect = (address: Address): Effect.Effect<void, string> =>
  Effect.async((resume) => {
    const socket = Net.connect(address)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.on("error", (error) => {
      socket.destroy()
      resume(Effect.fail(codeOf(error)))
    })
    return Effect.sync(() => socket.destroy())
  })

/** Whether anybody listens there. What cannot be told counts as a listener: nothing of another program is taken. */
export const isListened = (address: Address): Effect.Effect<boolean> =>
  connect(address).pipe(
    Effect.as(true),
    Effect.catchAll((code) => Effect.succeed(code !== "ECONNREFUSED" && code !== "ENOENT")),
    // A full backlog lets one wait, and this may be part of an acquisition.
    Effect.interruptible,
    Effect.timeoutTo({ duration: "1 second", onSuccess: (listened) => listened, onTimeout: () => true })
  )
