/**
 * The client of the API, derived from its definition, over the control socket.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ParseError } from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Path from "node:path"
import { EventRecord, LogLine } from "../domain/Views.ts"
import { codeOf } from "../internal/errno.ts"
import { Api, StreamFailure } from "./Api.ts"
import type * as Queries from "./Queries.ts"
import * as Sse from "./Sse.ts"

/**
 * Nobody listens on the control socket.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSupervisor extends Schema.TaggedError<NoSupervisor>()("NoSupervisor", {
  socket: Schema.String,
  code: Schema.String,
  /** Sockets in other usual places. */
  others: Schema.Array(Schema.String)
}) {
  override get message() {
    const why = this.code === "ENOENT" ? `there is no ${this.socket}` : `nobody listens on ${this.socket}`
    return `no supervisor is running: ${why}` +
      (this.others.length === 0
        ? ""
        : `; there is ${this.others.join(" and ")}, of one that was started in another way`)
  }
}

/**
 * The control socket belongs to somebody else.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotAllowed extends Schema.TaggedError<NotAllowed>()("NotAllowed", {
  socket: Schema.String,
  /** The user it belongs to, as far as that can be seen. */
  uid: Schema.NullOr(Schema.Int)
}) {
  override get message() {
    const owner = this.uid === 0 ? "root" : this.uid === null ? "another user" : `the user with id ${this.uid}`
    return `this user may not use ${this.socket}: it belongs to ${owner}`
  }
}

/**
 * The supervisor was there and then was not: it ended, or was stopped, before it had answered. What was asked for may
 * or may not have been done.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {
  socket: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `the connection to the supervisor broke (${this.code}): it ended, or was killed`
  }
}

/**
 * What listens on the socket does not speak this version's language.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedAnswer extends Schema.TaggedError<UnexpectedAnswer>()("UnexpectedAnswer", {
  socket: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.socket} gave an answer that this version does not understand: ${this.detail}`
  }
}

/**
 * Why no answer came.
 *
 * @since 0.1.0
 * @category errors
 */
export type Unreachable = NoSupervisor | NotAllowed | ConnectionLost | UnexpectedAnswer

const ownerOf = (path: string) =>
  Effect.try(() => Fs.lstatSync(path).uid).pipe(
    Effect.orElse(() => Effect.try(() => Fs.lstatSync(Path.dirname(path)).uid)),
    Effect.orElseSucceed(() => null)
  )

/** A control socket, and where else there could be one. */
interface Place {
  readonly socket: string
  readonly others: ReadonlyArray<string>
}

const explain =
  ({ others, socket }: Place) =>
  (error: HttpClientError.HttpClientError | ParseError): Effect.Effect<never, Unreachable> => {
    const code = codeOf(error.cause)
    if (code === "EUNKNOWN" || code.startsWith("HPE_")) {
      return Effect.fail(new UnexpectedAnswer({ socket, detail: error.message.split("\n").pop()?.trim() ?? "" }))
    }
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      const there = others.filter((other) => other !== socket && Fs.existsSync(other))
      return Effect.fail(new NoSupervisor({ socket, code, others: there }))
    }
    if (code === "EACCES") return Effect.flatMap(ownerOf(socket), (uid) => Effect.fail(new NotAllowed({ socket, uid })))
    return Effect.fail(new ConnectionLost({ socket, code }))
  }

const isTransport = (error: unknown): error is HttpClientError.HttpClientError | ParseError =>
  Predicate.isTagged(error, "RequestError") || Predicate.isTagged(error, "ResponseError") ||
  Predicate.isTagged(error, "ParseError")

type Derived = typeof Api extends HttpApi.HttpApi<infer _Id, infer Groups, infer E, infer _R>
  ? HttpApiClient.Client<Groups, E | Unreachable, never>
  : never

/** What `HttpApiClient.make` gives, each call derived when it is made: a command makes one, and would wait for all. */
const derive = (httpClient: HttpClient.HttpClient.With<Unreachable>, place: Place): Derived => {
  const groups: Record<string, Record<string, unknown>> = {}
  for (const group of Object.values(Api.groups)) {
    const calls: Record<string, unknown> = groups[group.identifier] = {}
    for (const endpoint of Object.keys(group.endpoints)) {
      calls[endpoint] = (request: never) =>
        HttpApiClient.endpoint(Api, { group: group.identifier, endpoint: endpoint as never, httpClient }).pipe(
          Effect.flatMap((call: (request: never) => Effect.Effect<unknown, unknown>) => call(request)),
          Effect.catchIf(isTransport, explain(place))
        )
    }
  }
  return groups as Derived
}

/**
 * A client of the supervisor that listens on this socket. Nothing is connected before the first request. Where nobody
 * listens, `others` are looked for, to be named.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Client.make")(function*(socket: string, others: ReadonlyArray<string> = []) {
  const place: Place = { socket, others }
  const agent = yield* Effect.acquireRelease(
    // Node passes an agent's options on to each connection that it makes.
    Effect.sync(() => new Http.Agent({ socketPath: socket } as Http.AgentOptions)),
    (agent) => Effect.sync(() => agent.destroy())
  )
  const http = yield* Effect.provideService(NodeHttpClient.make, NodeHttpClient.HttpAgent, {
    [NodeHttpClient.HttpAgentTypeId]: NodeHttpClient.HttpAgentTypeId,
    http: agent,
    https: Https.globalAgent
  })
  const here = HttpClient.mapRequest(http, HttpClientRequest.prependUrl("http://localhost"))
  const api = derive(HttpClient.catchAll(here, explain(place)), place)

  const follow = <A, I, E, R>(
    schema: Schema.Schema<A, I>,
    request: Effect.Effect<[void, HttpClientResponse.HttpClientResponse], E, R>
  ) => {
    const decode = Schema.decodeUnknown(Schema.parseJson(schema))
    const decodeFailure = Schema.decodeUnknown(Schema.parseJson(StreamFailure))
    return Effect.map(request, ([, response]) =>
      Sse.decode(response.stream).pipe(
        Stream.mapEffect((message) =>
          message.event === "error" ? Effect.flatMap(decodeFailure(message.data), Effect.fail) : decode(message.data)
        ),
        Stream.catchSome((error) =>
          isTransport(error) ? Option.some(Stream.fromEffect(explain(place)(error))) : Option.none()
        )
      )).pipe(Stream.unwrap)
  }

  return {
    ...api,
    /** The lines of some instances, of all when none is named. */
    logs: (query: Queries.LogSelection) => follow(LogLine, api.tree.logs({ urlParams: query, withResponse: true })),
    /** What happened, and with `follow` what happens. */
    events: (query: Queries.Selection) => follow(EventRecord, api.tree.events({ urlParams: query, withResponse: true }))
  }
})

/**
 * @since 0.1.0
 * @category tags
 */
export class Client
  extends Context.Tag("tenement/control/Client")<Client, Effect.Effect.Success<ReturnType<typeof make>>>()
{}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (socket: string): Layer.Layer<Client> => Layer.scoped(Client, make(socket))
