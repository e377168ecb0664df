// What the three JavaScript services share: an HTTP server on SOCKET_PATH that ends well on SIGTERM, and a client for
// services that listen on Unix sockets. Plain Node, no packages.
import * as http from "node:http"

/** The status and the message that a handler throws as. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/** Serves `routes`: `"GET /path"` to a function of `{ url, body, params }`; a `*` stands for one segment of the path. */
export const serve = (routes) => {
  const table = Object.entries(routes).map(([key, handler]) => {
    const [method, path] = key.split(" ")
    return { method, pattern: new RegExp(`^${path.replaceAll("*", "([^/]+)")}$`), handler }
  })

  const answer = async (request) => {
    const url = new URL(request.url, "http://localhost")
    for (const { handler, method, pattern } of table) {
      const match = request.method === method ? pattern.exec(url.pathname) : null
      if (match !== null) return [200, await handler({ url, params: match.slice(1), body: await json(request) })]
    }
    throw new HttpError(404, `no route for ${request.method} ${url.pathname}`)
  }

  const server = http.createServer(async (request, response) => {
    const began = performance.now()
    const [status, value] = await answer(request).catch((error) => [error.status ?? 500, { error: error.message }])
    response.writeHead(status, { "content-type": "application/json" })
    response.end(`${JSON.stringify(value)}\n`)
    if (request.url === "/health") return
    console.log(`${request.method} ${request.url} ${status} ${(performance.now() - began).toFixed(1)} ms`)
  })

  server.listen(process.env.SOCKET_PATH, () => console.log(`listening on ${process.env.SOCKET_PATH}`))
  process.once("SIGTERM", () => {
    console.log("SIGTERM: finishing what is under way")
    server.close(() => process.exit(0))
  })
}

/** Asks a service on a Unix socket, and gives the JSON that it answers. */
export const call = async (socketPath, method, path, body) => {
  const response = await new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, timeout: 2000 }, resolve)
    request.once("timeout", () => request.destroy(new Error("no answer within 2 s")))
    request.once("error", (error) => reject(new HttpError(502, `${socketPath}: ${error.message}`)))
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
  const value = await json(response)
  if (response.statusCode >= 400) throw new HttpError(response.statusCode, value?.error ?? `${socketPath} failed`)
  return value
}

const json = async (message) => {
  const chunks = []
  let size = 0
  for await (const chunk of message) {
    size += chunk.length
    if (size > 64 * 1024) throw new HttpError(413, "the body is larger than 64 KiB")
    chunks.push(chunk)
  }
  if (size === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"))
  } catch {
    throw new HttpError(400, "the body is not JSON")
  }
}
