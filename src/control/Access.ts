/**
 * Who may come in, and through which door.
 *
 * @since 0.1.0
 */
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Net from "node:net"
import { Authorization } from "./Api.ts"
import { ForeignHost, Unauthorized } from "./Errors.ts"
import * as Tokens from "./Tokens.ts"

/**
 * The door that a request came through: the control socket, whose file says who may use it, or TCP, which anybody on
 * the machine can reach, a page in a browser included. What does not say is treated as TCP.
 *
 * @since 0.1.0
 * @category tags
 */
export class Door extends Context.Reference<Door>()("tenement/control/Door", {
  defaultValue: (): "socket" | "tcp" => "tcp"
}) {}

/**
 * Asks for a token of this `data_dir` at the TCP door.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (dataDir: string): Layer.Layer<Authorization> =>
  Layer.sync(Authorization, () => {
    const isKnown = Tokens.verifier(dataDir)
    const refuse = Effect.zipRight(
      HttpApp.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "www-authenticate", "Bearer"))
      ),
      new Unauthorized()
    )
    const authorize = Effect.gen(function*() {
      if ((yield* Door) === "socket") return
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const [, secret] = /^Bearer ([\w-]{1,200})$/i.exec(headers["authorization"] ?? "") ?? []
      if (secret === undefined || !(yield* isKnown(secret))) return yield* refuse
    })
    return Authorization.of({ token: () => authorize })
  })

const hostOf = (text: string): string | null => {
  const url = URL.canParse(text) ? new URL(text) : null
  return url === null ? null : url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
}

/**
 * Whether the names in a request's headers are names of this supervisor. A page of somebody else's whose name was made
 * to lead here (DNS rebinding) still has that name in `Host` and `Origin`; an address cannot be made to lead elsewhere.
 *
 * @since 0.1.0
 * @category combinators
 */
export const checkHost = (
  headers: Readonly<Record<string, string | undefined>>,
  names: ReadonlyArray<string>
): ForeignHost | null => {
  const isOurs = (host: string | null) =>
    host !== null && (Net.isIP(host) !== 0 || names.some((name) => host === name || host.endsWith(`.${name}`)))
  const { host, origin } = headers
  if (!isOurs(hostOf(`http://${host ?? ""}`))) return new ForeignHost({ header: "host", value: host ?? "" })
  return origin === undefined || isOurs(hostOf(origin)) ? null : new ForeignHost({ header: "origin", value: origin })
}
