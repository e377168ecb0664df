/**
 * What every request passes before a handler sees it, and what every failure passes on its way out.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import { checkHost, Transport } from "./Access.ts"
import { Api } from "./Api.ts"
import * as Body from "./Body.ts"
import { BadRequest, InternalError, MethodNotAllowed, NoSuchRoute, TooLarge } from "./Errors.ts"

const maxTarget = 4096

/**
 * A route of the API, as requests find it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Route {
  readonly method: string
  readonly path: string
  readonly takesBody: boolean
}

/**
 * All routes, read from the definition of the API.
 *
 * @since 0.1.0
 * @category constants
 */
export const routes: ReadonlyArray<Route> = (() => {
  const found: Array<Route> = []
  HttpApi.reflect(Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint, payloads }) =>
      found.push({ method: endpoint.method, path: endpoint.path, takesBody: payloads.size > 0 })
  })
  return found
})()

const matchers = routes.map((route) => ({
  ...route,
  pattern: new RegExp(`^${route.path.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}$`)
}))

const find = (method: string, target: string) => {
  const query = target.indexOf("?")
  const path = query < 0 ? target : target.slice(0, query)
  const candidates = matchers.filter(({ pattern }) => pattern.test(path))
  if (candidates.length === 0) return Either.left(new NoSuchRoute())
  const wanted = method === "HEAD" ? "GET" : method
  const route = candidates.find((candidate) => candidate.method === wanted)
  return route === undefined
    ? Either.left(new MethodNotAllowed({ allowed: candidates.map((candidate) => candidate.method) }))
    : Either.right(route)
}

const isEmpty = (body: unknown): boolean =>
  body === undefined || (Predicate.isRecord(body) && Object.keys(body).length === 0)

const admit = (names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.url.length > maxTarget) return yield* new TooLarge({ part: "target", limit: maxTarget })
    const foreign = (yield* Transport) === "tcp" ? checkHost(request.headers, names) : null
    if (foreign !== null) return yield* foreign
    const route = yield* find(request.method, request.url)
    const body = yield* Body.of(NodeHttpServerRequest.toIncomingMessage(request))
    if (!route.takesBody && !isEmpty(body)) {
      return yield* new BadRequest({ issues: [{ at: "body", message: "this request takes none" }] })
    }
    return body
  })

/**
 * What a schema has against a request, as this API says it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const badRequest = (issues: ReadonlyArray<ParseResult.ArrayFormatterIssue>): BadRequest => {
  const [first, ...rest] = issues.map(({ message, path }) => ({ at: path.map(String).join("."), message }))
  return new BadRequest({ issues: [first ?? { at: "", message: "this cannot be understood" }, ...rest] })
}

const allow = ({ allowed }: MethodNotAllowed) =>
  HttpApp.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "allow", allowed.join(", ")))
  )

type Failure = typeof Api extends HttpApi.HttpApi<infer _Id, infer _Groups, infer E, infer _R> ? E : never

/** Failures of the library in the words of this API; a defect is told to the log alone. */
const translate = (cause: Cause.Cause<Failure>): Effect.Effect<never, Failure> => {
  // The types say that nothing is left that can fail; in truth the errors of all routes pass here, not yet encoded.
  const failure = Option.getOrUndefined<unknown>(Cause.failureOption(cause))
  if (failure === undefined && Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
  if (failure instanceof MethodNotAllowed) return Effect.zipRight(allow(failure), failure)
  if (failure instanceof HttpApiError.HttpApiDecodeError) return badRequest(failure.issues)
  if (Predicate.isTagged(failure, "RouteNotFound")) return new NoSuchRoute()
  if (failure !== undefined) return Effect.fail(failure as Failure)
  return Effect.zipRight(Effect.logError("a request met a defect", cause), new InternalError())
}

const isAboutTheTree = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => url.startsWith("/api/"))

/**
 * Runs before and after all routes. `names` are the hosts that a request over TCP may call this supervisor by. What is
 * asked of the tree waits for `ready`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (names: ReadonlyArray<string>, ready: Effect.Effect<void>) =>
  HttpApiBuilder.middleware(Api, (app) =>
    admit(names).pipe(
      Effect.zipLeft(Effect.whenEffect(ready, isAboutTheTree)),
      Effect.flatMap((body) => Effect.provideService(app, Body.Body, body)),
      Effect.catchAllCause(translate)
    ))
