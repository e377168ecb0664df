/**
 * The body of a request: small, JSON, and shallow, or refused before it costs anything. A key that is there twice has
 * its last value, as everywhere in JavaScript.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { IncomingMessage } from "node:http"
import { BadRequest, NotJson, TooLarge } from "./Errors.ts"

const limit = 64 * 1024
const maxDepth = 16

/**
 * What the body of this request says; `undefined` when there is none.
 *
 * @since 0.1.0
 * @category tags
 */
export class Body extends Context.Reference<Body>()("tenement/control/Body", {
  defaultValue: (): unknown => undefined
}) {}

/** What is too large is not kept but read on, so that who is still sending it comes to read the answer. */
const read = (source: IncomingMessage) =>
  Effect.async<Buffer, TooLarge>((resume) => {
    const refusal = Effect.fail(new TooLarge({ part: "body", limit }))
    if (Number(source.headers["content-length"] ?? 0) > limit) return resume(refusal)
    let chunks: Array<Buffer> = []
    let size = 0
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        stop()
        resume(refusal)
      } else chunks.push(chunk)
    }
    const onEnd = () => resume(Effect.succeed(Buffer.concat(chunks)))
    const stop = () => {
      chunks = []
      source.off("data", onData).off("end", onEnd).resume()
    }
    source.on("data", onData).on("end", onEnd)
    return Effect.sync(stop)
  })

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" && value !== null &&
  (levels === 0 || Object.values(value).some((child) => isDeeper(child, levels - 1)))

const refuse = (message: string) => new BadRequest({ issues: [{ at: "body", message }] })

const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * Reads the body of a request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = Effect.fn("Body.of")(function*(source: IncomingMessage) {
  const bytes = yield* read(source)
  if (bytes.length === 0) return undefined
  if (!/^application\/json\s*(;|$)/i.test(source.headers["content-type"] ?? "")) return yield* new NotJson()
  const value = yield* Effect.try({
    try: (): unknown => JSON.parse(utf8.decode(bytes)),
    catch: () => refuse("this is not JSON")
  })
  return isDeeper(value, maxDepth) ? yield* refuse(`nested deeper than ${maxDepth} levels`) : value
})
