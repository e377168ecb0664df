import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fc from "effect/FastCheck"
import * as Stream from "effect/Stream"
import * as Sse from "../../src/control/Sse.ts"

const events = Fc.array(Fc.record({ event: Fc.constantFrom("Notice", "error"), id: Fc.nat(), data: Fc.json() }))

/** The text in pieces, as a connection may cut it. */
const cut = (text: string, at: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(text)
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

describe("Sse", () => {
  it.effect.prop(
    "what was sent is what comes, however it is cut",
    [events, Fc.array(Fc.nat())],
    ([sent, places]) =>
      Effect.gen(function*() {
        const text = sent.map((event) => Sse.encode(event) + Sse.heartbeat).join("")
        const come = yield* Stream.runCollect(Sse.decode(Stream.fromIterable(cut(text, places))))
        assert.deepStrictEqual([...come], sent.map((event) => ({ ...event, id: String(event.id) })))
      })
  )

  it.effect("drops what was cut off", () =>
    Effect.gen(function*() {
      const come = yield* Stream.runCollect(Sse.decode(Stream.make(Buffer.from("data: 1\n\ndata: 2\n"))))
      assert.deepStrictEqual([...come].map(({ data }) => data), ["1"])
    }))
})
