/** HTTP over a Unix socket or a port of loopback, on Node alone: what `curl` would see, nothing of the program's client. */
import * as Effect from "effect/Effect"
import * as http from "node:http"

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  /** The body as JSON. */
  readonly json: unknown
}

export interface Request {
  readonly method?: string
  readonly body?: unknown
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Buffer
  readonly headers?: http.OutgoingHttpHeaders
}

export class RequestFailed extends Error {
  readonly code: string
  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause })
    this.code = cause.code ?? ""
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const request = (
  to: string | number,
  path: string,
  { body, headers, method = "GET", raw }: Request = {}
): Effect.Effect<Answer, RequestFailed> =>
  Effect.async((resume) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const sent = http.request({
      ...(typeof to === "string" ? { socketPath: to } : { host: "127.0.0.1", port: to }),
      path,
      method,
      agent: false,
      headers: {
        ...(payload === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
        ...headers
      }
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", (cause) => resume(Effect.fail(new RequestFailed(cause))))
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8")
        resume(
          Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) })
        )
      })
    })
    sent.on("error", (cause) => resume(Effect.fail(new RequestFailed(cause))))
    sent.end(payload)
    return Effect.sync(() => sent.destroy())
  })

/** The events of a body of server-sent events: each one's `data`, as JSON. */
export const eventsOf = (text: string): ReadonlyArray<unknown> =>
  text.split("\n\n").flatMap((block) => {
    const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim())
    return data.length === 0 ? [] : [parse(data.join("\n"))]
  })
