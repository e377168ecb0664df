/**
 * The server of the API, on the control socket and on TCP.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import type * as Net from "node:net"
import { HandedOver, ShuttingDown } from "../actors/Errors.ts"
import type { Tenement } from "../actors/Tenement.ts"
import { bounded } from "../internal/bounded.ts"
import * as Access from "./Access.ts"
import { Api } from "./Api.ts"
import type { ConfigSource } from "./ConfigSource.ts"
import * as Door from "./Door.ts"
import { Closing } from "./Follow.ts"
import * as Handlers from "./Handlers.ts"
import * as Listeners from "./Listeners.ts"
import * as Middleware from "./Middleware.ts"

/**
 * Where to listen and what to say.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The control socket. */
  readonly socket: string
  /** `null` for no TCP. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** A host name that requests over TCP may use, with all names below it. */
  readonly domain: string
  /** Where the tokens are. */
  readonly dataDir: string
  readonly version: string
  /** Done when the tree has come up: before that it knows of nothing. At once, if not given. */
  readonly ready?: Effect.Effect<void>
  /** Who gets the requests over TCP first, and hands on those that are the API's. */
  readonly front?: Front
  /** Listening sockets that an earlier supervisor has left to this one. */
  readonly inherited?: ReadonlyMap<Door.DoorName, number>
}

/**
 * Makes of the API's own listener one for all that comes over TCP, upgrades included.
 *
 * @since 0.1.0
 * @category models
 */
export type Front = (own: Http.RequestListener) => {
  readonly request: Http.RequestListener
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
  /** Each connection, before Node's server has it; `toNode` gives it that. */
  readonly connection: (socket: Net.Socket, toNode: (socket: Net.Socket) => void) => void
  /** From now on each connection that Node's server does not have goes to `keep`, unread, once no request is on it. */
  readonly hold: (keep: (socket: Net.Socket) => void) => void
}

/**
 * The server, and where it listens; `port` is the one that was had when the options left it open with 0.
 *
 * @since 0.1.0
 * @category tags
 */
export class Server extends Context.Tag("tenement/control/Server")<Server, {
  readonly socket: string
  readonly listen: { readonly host: string; readonly port: number } | null
  readonly doors: ReadonlyArray<Door.Door>
  /** Takes the control socket's path away: nobody is to be found there. */
  readonly removeSocket: Effect.Effect<void>
  /** Ends streams that have no end of their own: another supervisor goes on with them. */
  readonly endStreams: Effect.Effect<void>
}>() {}

/** Connections over TCP at once: anybody can open them, and each takes a file descriptor. */
const maxStrangers = 4096

/** How long answers may take that are under way when the server goes down. */
const patience = "2 seconds"

const unparsable: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout"
}

/** What is not HTTP never reaches the API, and is answered as the API would. */
const onClientError =
  (answering: ReadonlySet<Http.ServerResponse>) => (error: NodeJS.ErrnoException, socket: Net.Socket) => {
    if (!socket.writable || error.code === "ECONNRESET") return socket.destroy()
    for (const response of answering) {
      // A second answer in the middle of the first would be taken for a part of it.
      if (response.socket === socket && response.headersSent) return socket.destroySoon()
    }
    const status = unparsable[error.code ?? ""] ?? "400 Bad Request"
    const body = JSON.stringify({
      _tag: "BadRequest",
      issues: [{ at: "", message: status.slice(4) }],
      message: status.slice(4)
    })
    return socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
    )
  }

/**
 * The control socket needs no watch over slow clients, which costs a timer: only those who may do everything reach it.
 */
const trusting: Http.ServerOptions = { connectionsCheckingInterval: 2 ** 31 - 1, requestTimeout: 0 }

/**
 * Behind a front, no end is set to a request as a whole: an upload may take its time, and the front sees to those that
 * stand still.
 */
const patient: Http.ServerOptions = { headersTimeout: 15_000, requestTimeout: 0, connectionsCheckingInterval: 1000 }

const makeServer = (options: Http.ServerOptions, handler: Http.RequestListener) =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntime<never, void, never>()
    const answering = new Set<Http.ServerResponse>()
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        Http.createServer(options, (request, response) => {
          answering.add(response)
          response.once("close", () => answering.delete(response))
          // One that waits for another on its connection is not told by Node that the connection is closed.
          if (response.socket === null) request.once("close", () => void response.destroy().emit("close"))
          handler(request, response)
        })
          .on("clientError", onClientError(answering))
          .on("connect", (_, socket: Net.Socket) => onClientError(answering)(new Error("CONNECT"), socket))
          // Once it listens, such as when no file descriptor is left for a connection that comes in.
          .on("error", (error) => run(Effect.logError("the API's server met an error", error)))
      ),
      (server) =>
        Effect.async<void>((resume) => {
          server.close()
          const ended = () => answering.size === 0 ? resume(Effect.void) : undefined
          for (const response of answering) response.once("close", ended)
          ended()
          // Connections without a request are not waited for: some clients keep theirs for as long as they can.
        }).pipe(bounded(patience), Effect.zipRight(Effect.sync(() => server.closeAllConnections())))
    )
  })

const make = (options: Options) =>
  Effect.gen(function*() {
    const closing = yield* Closing
    const app = yield* HttpApiBuilder.httpApp
    const over = (transport: "socket" | "tcp") =>
      NodeHttpServer.makeHandler(Effect.provideService(app, Access.Transport, transport))

    const inherited = (door: Door.DoorName) => options.inherited?.get(door) ?? null
    const local = yield* makeServer(trusting, yield* over("socket"))
    const control = Door.of("control", local)
    const removeSocket = yield* Listeners.openSocket(local, options.socket, inherited("control"))
    const own = yield* over("tcp")
    const front = options.front?.(own)
    const remote = front === undefined
      ? yield* makeServer({}, own)
      : yield* makeServer({ ...patient, noDelay: true }, front.request)
    if (front !== undefined) {
      remote.on("upgrade", front.upgrade)
      // Node's way to inject connections is to emit this event: whoever listens to it has them.
      const listeners = remote.listeners("connection")
      const toNode = (socket: Net.Socket) => {
        for (const listener of listeners) listener.call(remote, socket)
      }
      remote.removeAllListeners("connection").on("connection", (socket) => front.connection(socket, toNode))
    }
    const door = Door.of("listen", remote, front?.hold)
    remote.maxConnections = maxStrangers
    const listen = options.listen === null
      ? null
      : yield* Listeners.openTcp(remote, options.listen, inherited("listen"))
    // Before the servers, which wait for the streams that this ends.
    yield* Effect.addFinalizer(() => Deferred.fail(closing, new ShuttingDown()))
    return Server.of({
      socket: options.socket,
      listen,
      doors: listen === null ? [control] : [control, door],
      removeSocket,
      endStreams: Deferred.fail(closing, new HandedOver())
    })
  })

/**
 * Serves the API as long as its scope lives.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Server, Listeners.ListenFailed, Tenement | ConfigSource> =>
  Layer.scoped(Server, make(options)).pipe(
    Layer.provide(HttpApiBuilder.api(Api)),
    Layer.provide(Handlers.layer(options.version)),
    Layer.provide(
      Middleware.layer(
        ["localhost", options.domain, ...(options.listen === null ? [] : [options.listen.host])],
        options.ready ?? Effect.void
      )
    ),
    Layer.provide([
      Access.layer(options.dataDir),
      Layer.effect(Closing, Deferred.make()),
      HttpApiBuilder.Router.Live,
      HttpApiBuilder.Middleware.layer,
      HttpServer.layerContext
    ])
  )
