/**
 * What a request asks for, where it can be understood in one way only.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Headers from "./Headers.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * The host as it was written, and the target in origin form.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asked {
  readonly host: string
  readonly path: string
}

/** A chain of gateways that leads back here would not end. */
const mostPassages = 5

/** Node drops what is beyond twice as many, and says nothing. */
const mostFields = 1000

const bad = (message: string): Either.Either<never, Refusal> => Either.left({ status: 400, message, kind: null })

/**
 * Node's parser has refused what is not HTTP by then. This refuses what two parsers might read in two ways.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (request: Headers.RequestHead): Either.Either<Asked, Refusal> => {
  const { headers, httpVersion, method, rawHeaders, url = "" } = request
  if (rawHeaders.length > 2 * mostFields) {
    return Either.left({ status: 431, message: `there are more than ${mostFields} header fields`, kind: null })
  }
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === "host") hosts += 1
  }
  if (hosts > 1) return bad("there is more than one Host")
  const coding = headers["transfer-encoding"]
  if (coding !== undefined && (coding.toLowerCase() !== "chunked" || httpVersion === "1.0")) {
    return bad("of transfer codings there is only chunked, in HTTP/1.1")
  }
  if (Headers.passages(request) >= mostPassages) {
    return Either.left({ status: 508, message: "it has come back here too often", kind: null })
  }
  const [, authority, target] = /^https?:\/\/([^/?#]+)([^#]*)$/i.exec(url) ?? []
  if (authority !== undefined) {
    return Either.right({ host: authority, path: target?.startsWith("/") === true ? target : `/${target ?? ""}` })
  }
  return url.startsWith("/") || (url === "*" && method === "OPTIONS")
    ? Either.right({ host: headers.host ?? "", path: url })
    : bad("the target is not a path")
}
