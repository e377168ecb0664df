/**
 * Answers that are streams: server-sent events, one item in each.
 *
 * @since 0.1.0
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { HandedOver, ShuttingDown } from "../actors/Errors.ts"
import { StreamFailure } from "./Api.ts"
import { InternalError } from "./Errors.ts"
import * as Sse from "./Sse.ts"

/**
 * Done when the server goes down: streams without an end of their own end then, or they would hold it up for ever.
 *
 * @since 0.1.0
 * @category tags
 */
export class Closing
  extends Context.Tag("tenement/control/Closing")<Closing, Deferred.Deferred<never, ShuttingDown | HandedOver>>()
{}

/**
 * A comment at once, and then every 15 s. Writing it is how a connection that broke is noticed while there is nothing else
 * to send.
 */
const heartbeats = Stream.as(Stream.tick("15 seconds"), Sse.heartbeat)

/** Answers when there is something to answer with, so that what fails before that is an error with a status. */
const begun = Effect.fnUntraced(function*<E>(frames: Stream.Stream<string, E>) {
  const pull = yield* Stream.toPull(frames)
  const first = yield* Effect.catchAll(
    pull,
    Option.match({ onNone: () => Effect.succeed(Chunk.empty<string>()), onSome: (error: E) => Effect.fail(error) })
  )
  const rest = Chunk.isEmpty(first) ? Stream.empty : Stream.fromPull(Effect.succeed(pull))
  return Stream.concat(Stream.fromChunk(first), rest)
})

const encodeFailure = Schema.encode(Schema.parseJson(StreamFailure))

/** The last event of a stream that ends before its time. */
const farewell = (cause: Cause.Cause<StreamFailure>): Stream.Stream<string> => {
  const failure = Cause.failureOption(cause)
  if (Option.isNone(failure) && Cause.isInterruptedOnly(cause)) return Stream.failCause(cause as Cause.Cause<never>)
  const told = Option.isSome(failure)
    ? Effect.succeed(failure.value)
    : Effect.as(Effect.logError("a stream met a defect", cause), new InternalError())
  return Stream.fromEffect(
    told.pipe(
      Effect.flatMap((error) => encodeFailure(error)),
      Effect.orDie,
      Effect.map((data) => Sse.encode({ event: "error", data }))
    )
  )
}

/**
 * The answer that sends these items.
 *
 * @since 0.1.0
 * @category constructors
 */
export const respond = Effect.fn("Follow.respond")(function*<A, E extends StreamFailure>(
  items: Stream.Stream<A, E>,
  options: { readonly follow: boolean; readonly frame: (item: A) => string }
) {
  const closing = yield* Closing
  const frames = Stream.mapChunks(items, (chunk) => Chunk.of(Chunk.toReadonlyArray(chunk).map(options.frame).join("")))
  const sent = options.follow ? Stream.merge(frames, heartbeats, { haltStrategy: "left" }) : yield* begun(frames)
  return HttpServerResponse.stream(
    sent.pipe(
      Stream.interruptWhen(Deferred.await(closing)),
      Stream.catchAllCause(farewell),
      Stream.encodeText
    ),
    { contentType: "text/event-stream", headers: { "cache-control": "no-store" } }
  )
})
