/**
 * Asks a running supervisor to end and to leave its instances, by hand: the client of the API would stay in the memory of
 * the supervisor that asks.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import { codeOf } from "../internal/errno.ts"
import { Refused } from "./Errors.ts"

const nobody = new Set(["ENOENT", "ECONNREFUSED"])

const messageIn = (body: string): string => /"message":("(?:[^"\\]|\\.)*")/.exec(body)?.[1] ?? JSON.stringify(body)

/**
 * Done when whoever listens on the control socket has given everything up, or nobody does.
 *
 * @since 0.1.0
 * @category combinators
 */
export const makeWay = (socket: string): Effect.Effect<void, Refused> =>
  Effect.async((resume) => {
    const refused = (why: string) =>
      resume(new Refused({ message: `the supervisor on ${socket} does not make way: ${why}` }))
    const request = Http.request({ socketPath: socket, path: "/api/leave", method: "POST", agent: false })
    request.once("response", (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => body += text)
      response.once("end", () =>
        response.statusCode === 200 ? resume(Effect.void) : refused(String(JSON.parse(messageIn(body)))))
      response.once("error", (error) =>
        refused(codeOf(error)))
    })
    request.once("error", (error) => nobody.has(codeOf(error)) ? resume(Effect.void) : refused(codeOf(error)))
    request.end()
    return Effect.sync(() => request.destroy())
  })
