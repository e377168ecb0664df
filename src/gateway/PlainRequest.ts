/**
 * Most requests are a head and nothing else. Those can be read at once, and only one way; whatever is not certain to be
 * one of them is left to Node's parser.
 *
 * @since 0.1.0
 */
import type { Question } from "./Exchange.ts"
import * as Fields from "./Fields.ts"
import * as Headers from "./Headers.ts"

/**
 * What is asked for, and the head of the request to an instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlainRequest extends Question {
  readonly path: string
  readonly host: string
}

/** So few that there cannot be more fields than are allowed. */
const mostBytes = 4000

const requestLine = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/

/** A body, another protocol, or more to it than is read here. */
const uncommon = "content-length|transfer-encoding|expect|upgrade|te|trailer|via"

const known = Fields.named(`host|connection|forwarded|x-forwarded-(?:for|host|proto)|${uncommon}`)

/** What is replaced by the gateway's own. */
const rewritten = Fields.lines(`host|forwarded|x-forwarded-(?:for|host|proto)|${Headers.hopByHop}`)

class Origin implements Headers.Origin {
  readonly via = undefined
  forwarded: string | undefined = undefined
  "x-forwarded-for": string | undefined = undefined
  "x-forwarded-host": string | undefined = undefined
  "x-forwarded-proto": string | undefined = undefined
}

const end = "\r\n"
const separator = "\r\n\r\n"

/** What is the same in all requests with these fields from one peer: the host, and the head behind its first line. */
interface Rest {
  readonly fields: string
  readonly host: string
  readonly head: string
}

const restOf = (fields: string, peer: string): Rest | null => {
  if (!Fields.areValid(fields)) return null
  const origin = new Origin()
  let host = ""
  known.lastIndex = 0
  for (let found = known.exec(fields); found !== null; found = known.exec(fields)) {
    const [, name = "", value = ""] = found
    const lower = name.toLowerCase()
    switch (lower) {
      case "host":
        if (host !== "" || value === "") return null
        host = value
        break
      case "connection":
        if (value.toLowerCase() !== "keep-alive") return null
        break
      case "forwarded":
      case "x-forwarded-for":
      case "x-forwarded-host":
      case "x-forwarded-proto":
        origin[lower] = origin[lower] === undefined ? value : `${origin[lower]}, ${value}`
        break
      default:
        return null
    }
  }
  if (host === "") return null
  const told = Fields.write(Headers.told(origin, peer, host, "1.1"))
  return { fields, host, head: `Host: ${host}\r\n${fields.replace(rewritten, "")}${told}\r\n` }
}

/**
 * Reads the requests of one connection.
 *
 * @since 0.1.0
 * @category models
 */
export class Reader {
  readonly #peer: string
  /** Who asks again mostly says the same of itself as before. */
  #last: Rest | null = null

  constructor(peer: string) {
    this.#peer = peer
  }

  /**
   * The request that these bytes are, all of them: `GET` or `HEAD` of a path, one `Host`, no body, and a connection that
   * stays open. `null` for anything else.
   */
  read(bytes: Buffer): PlainRequest | null {
    if (bytes.length > mostBytes) return null
    const text = bytes.toString("latin1")
    const line = requestLine.exec(text)
    if (line === null || !text.endsWith(separator)) return null
    const [{ length }, method = "", path = ""] = line
    // More than one head has an empty line in the midst, which is no valid field.
    const fields = text.slice(length, -end.length)
    const rest = this.#last?.fields === fields ? this.#last : this.#last = restOf(fields, this.#peer)
    if (rest === null) return null
    return { method, path, host: rest.host, head: `${method} ${path} HTTP/1.1\r\n${rest.head}`, body: null }
  }
}
