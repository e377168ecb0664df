/** @internal */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import { codeOf } from "../../internal/errno.ts"
import type { Address } from "../Endpoint.ts"
import { printable } from "./printable.ts"

// Enough to see what an error page says; a longer body is cut off, and that is not the instance's fault.
const bodyLimit = 4096

const headers = { Host: "localhost", "User-Agent": "tenement-health/1", Accept: "*/*", Connection: "close" }

const explain = (asked: string, error: unknown): string => {
  const code = codeOf(error)
  if (code.startsWith("HPE_")) return `${asked}: what came back is not HTTP (${code})`
  if (error instanceof Error && "syscall" in error && error.syscall === "connect") return error.message
  if (code === "ECONNRESET" || code === "EPIPE") return `${asked}: the connection was closed before the answer`
  return `${asked}: ${error instanceof Error ? error.message : code}`
}

/**
 * One request, one connection. Succeeds with `GET path: status`, fails with what was seen instead. Has no deadline of
 * its own; interrupting it closes the connection at once.
 */
export const get = (address: Address, path: string): Effect.Effect<string, string> =>
  Effect.async((resume) => {
    const asked = `GET ${path}`
    let request: Http.ClientRequest
    try {
      const where = "path" in address ? { socketPath: address.path } : address
      request = Http.request({ ...where, path, agent: false, headers })
    } catch (error) {
      return resume(Effect.fail(explain(asked, error)))
    }
    request.on("error", (error) => resume(Effect.fail(explain(asked, error))))
    request.once("upgrade", (response, socket) => {
      socket.destroy()
      resume(Effect.fail(`${asked}: ${response.statusCode} ${response.statusMessage}, which nobody asked for`))
    })
    request.once("response", (response) => {
      const status = response.statusCode ?? 0
      const chunks: Array<Buffer> = []
      let length = 0
      const finish = () => {
        request.destroy()
        if (status >= 200 && status < 400) return resume(Effect.succeed(`${asked}: ${status}`))
        const said = printable(Buffer.concat(chunks).toString("utf8"))
        const line = `${asked}: ${status} ${Http.STATUS_CODES[status] ?? ""}`.trimEnd()
        resume(Effect.fail(said === "" ? line : `${line}: ${said}`))
      }
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length >= bodyLimit) finish()
      })
      response.once("end", finish)
      response.on("error", () => resume(Effect.fail(`${asked}: ${status}, and the connection broke off in its body`)))
    })
    request.end()
    return Effect.sync(() => request.destroy())
  })
