/**
 * The head of an answer: HTTP/1.1 as RFC 9112 has it, and nothing that another reader might take otherwise.
 *
 * @since 0.1.0
 */
import * as Fields from "./Fields.ts"
import * as Headers from "./Headers.ts"

/**
 * What a head says. `fields` are the lines that cross the gateway, `length` is what `Content-Length` says.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerHead {
  readonly status: number
  readonly reason: string
  readonly fields: string
  readonly hasDate: boolean
  readonly length: number | null
  readonly isChunked: boolean
  /** Another answer may follow on the connection, if the end of this one is known. */
  readonly staysOpen: boolean
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/
const close = /(?:^|,)[\t ]*close[\t ]*(?:,|$)/
const digits = /^\d{1,15}$/

/**
 * Reads the bytes from `start` to `end`, which is behind the empty line. `null` for what is not such a head. Each byte is
 * looked at once: this is done for each request, and everything else that is done for it costs little more.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (bytes: Buffer, start: number, end: number): AnswerHead | null => {
  const text = bytes.toString("latin1", start, end)
  const line = statusLine.exec(text)
  if (line === null) return null
  const [{ length: first }, minor, code, reason = ""] = line
  const last = text.length - Fields.lineEnd.length
  let length: number | null = null
  let isChunked = false
  let hasDate = false
  let isLast = false
  let namesFields = false
  /** What crosses of the lines before `from`. */
  let before = ""
  let from = first
  for (let at = first; at < last;) {
    const colon = Fields.colonOf(bytes, start + at) - start
    const next = colon < 0 ? -1 : Fields.nextOf(bytes, start + colon + 1) - start
    if (next < 0 || next > last) return null
    const name = Headers.specialName(text, at, colon)
    if (name === "date") hasDate = true
    else if (name === "content-length") {
      const value = Fields.valueOf(text, colon, next)
      if (length !== null || !digits.test(value)) return null
      length = Number(value)
    } else if (name !== null) {
      if (name === "transfer-encoding") {
        if (isChunked || Fields.valueOf(text, colon, next).toLowerCase() !== "chunked") return null
        isChunked = true
      } else if (name === "connection") {
        const value = Fields.valueOf(text, colon, next).toLowerCase()
        if (value !== "keep-alive" && value !== "close") namesFields = true
        if (value !== "keep-alive" && close.test(value)) isLast = true
      }
      if (at > from) before += text.slice(from, at)
      from = next
    }
    at = next
  }
  if (isChunked && (length !== null || minor === "0")) return null
  return {
    status: Number(code),
    reason,
    fields: namesFields
      ? Fields.write(Headers.endToEnd(Fields.read(text.slice(first, last))))
      : before + text.slice(from, last),
    hasDate,
    length,
    isChunked,
    staysOpen: minor === "1" && !isLast
  }
}
