// A server of the API with a tree in memory, and ways to talk to it.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Server from "../../src/control/Server.ts"
import * as FakeTenement from "./FakeTenement.ts"

export const tempDir = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-control-"))),
  (dir) => Effect.sync(() => Fs.rmSync(dir, { recursive: true, force: true }))
)

export interface Rig {
  readonly dir: string
  readonly socket: string
  readonly port: number
  readonly fake: FakeTenement.Fake
}

export const start = (options: { readonly invalid?: boolean } = {}) =>
  Effect.gen(function*() {
    const dir = yield* tempDir
    const fake = yield* FakeTenement.make
    const server = Server.layer({
      socket: Path.join(dir, "run", "t.sock"),
      listen: { host: "127.0.0.1", port: 0 },
      domain: "tenement.test",
      dataDir: dir,
      version: "0.0.0-test"
    })
    const context = yield* Layer.build(Layer.provide(server, FakeTenement.layer(fake, options.invalid)))
    const { listen, socket } = context.pipe((context) => Effect.runSync(Effect.provide(Server.Server, context)))
    return { dir, socket, port: listen?.port ?? 0, fake }
  })

export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
  readonly json: () => { readonly _tag?: string; readonly message?: string }
}

/** One request on a connection of its own; the answer as it came. */
export const send = (
  to: { readonly socket: string } | { readonly port: number },
  options: {
    readonly method?: string
    readonly path?: string
    readonly headers?: Http.OutgoingHttpHeaders
    readonly body?: string | Buffer
    readonly agent?: Http.Agent
  }
) =>
  Effect.async<Answer, NodeJS.ErrnoException>((resume) => {
    const request = Http.request({
      ...("socket" in to ? { socketPath: to.socket } : { host: "127.0.0.1", port: to.port }),
      method: options.method ?? "GET",
      path: options.path ?? "/",
      headers: options.headers ?? {},
      agent: options.agent ?? false
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8")
        resume(Effect.succeed({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text)
        }))
      })
      response.on("error", (error) => resume(Effect.fail(error)))
    })
    request.on("error", (error) => resume(Effect.fail(error)))
    request.end(options.body)
    return Effect.sync(() => request.destroy())
  })
