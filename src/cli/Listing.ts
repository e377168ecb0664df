/**
 * The list of instances, quickly. What `ps` is typed most for should not wait until a client for the whole API is
 * derived: that alone takes longer than the question and its answer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import * as Net from "node:net"
import { InstanceView } from "../domain/Views.ts"
import { connect } from "./Connect.ts"
import * as ControlSocket from "./ControlSocket.ts"
import { Session } from "./Session.ts"

const decode = Schema.decodeUnknown(Schema.parseJson(Schema.Array(InstanceView)))

/** Anything but the answer that was hoped for is no answer. A connection of its own needs no agent. */
const ask = (socketPath: string): Effect.Effect<string, null> =>
  Effect.async((resume) => {
    const request = Http.get(
      { path: "/api/instances", createConnection: () => Net.connect(socketPath) },
      (response) => {
        if (response.statusCode !== 200) return resume(Effect.fail(null))
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (part: string) => {
          text += part
        })
        response.once("end", () => resume(Effect.succeed(text)))
        response.once("error", () => resume(Effect.fail(null)))
      }
    )
    request.once("error", () => resume(Effect.fail(null)))
    return Effect.sync(() => request.destroy())
  })

/**
 * All instances. Where the quick way does not lead to them, the client is asked, and says what is in the way.
 *
 * @since 0.1.0
 * @category constructors
 */
export const list = Effect.gen(function*() {
  const { globals } = yield* Session
  const socket = yield* ControlSocket.locate(globals)
  return yield* Effect.flatMap(ask(socket), decode).pipe(
    Effect.orElse(() => Effect.flatMap(connect, ({ instances }) => instances.list({})))
  )
})
