/**
 * Who may use the API: over the control socket whoever may open it, over TCP whoever has a token.
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
 * How a request arrived. The control socket's file permissions say who may use it. TCP can be reached by anybody on the
 * machine, and by any page in a browser, so such requests need a token. Without the reference, a request counts as TCP.
 *
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Reference<Transport>()("tenement/control/Transport", {
  defaultValue: (): "socket" | "tcp" => "tcp"
}) {}

/**
 * Asks requests over TCP for a token of this `data_dir`.
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
      if ((yield* Transport) === "socket") return
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
