/**
 * The text of a journal: lines that each carry their own checksum. The first names the format; each other one is the
 * newest word on its key, or takes the key away.
 *
 * @internal
 */
import * as Crypto from "node:crypto"

const sum = (payload: string): string => Crypto.createHash("sha256").update(payload).digest("hex").slice(0, 16)

const line = (payload: string): string => `${sum(payload)} ${payload}\n`

/** The first line of a journal. */
export const header = (format: number): string => line(JSON.stringify({ format }))

/** The line that says `value`, which is JSON, of a key; `null` takes the key away. */
export const entry = (key: string, value: string | null): string =>
  line(value === null ? JSON.stringify([key]) : `[${JSON.stringify(key)},${value}]`)

/** What a journal says. */
export interface Contents {
  /** The format it was written in; `null` where it does not say. */
  readonly format: number | null
  readonly entries: ReadonlyMap<string, unknown>
  /** Lines that are not as they were written. */
  readonly damaged: number
}

const payloadOf = (text: string): string | undefined => {
  const payload = text.slice(17)
  return text[16] === " " && text.slice(0, 16) === sum(payload) ? payload : undefined
}

/** Reads whatever there is; nothing that it cannot vouch for gets in. */
export const read = (bytes: Uint8Array): Contents => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // What follows the last whole line was being written when the power went.
  const length = text.lastIndexOf(0x0a) + 1
  const entries = new Map<string, unknown>()
  let found: number | null = null
  let damaged = 0
  const lines = length === 0 ? [] : text.toString("utf8", 0, length - 1).split("\n")
  lines.forEach((line, index) => {
    const payload = payloadOf(line)
    if (payload === undefined) {
      damaged++
      return
    }
    const value: unknown = JSON.parse(payload)
    if (index === 0 && isHeader(value)) found = value.format
    else if (Array.isArray(value) && typeof value[0] === "string") {
      if (value.length === 1) entries.delete(value[0])
      else entries.set(value[0], value[1])
    } else damaged++
  })
  return { format: found, entries, damaged }
}

const isHeader = (value: unknown): value is { readonly format: number } =>
  typeof value === "object" && value !== null && "format" in value && typeof value.format === "number"
