import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { InstanceName } from "../../src/domain/Names.ts"
import type { EventRecord } from "../../src/domain/Views.ts"
import * as Events from "../../src/layers/Events.ts"
import * as Store from "../../src/layers/Store.ts"

const names = ["api:a", "api:b", "worker:a"].map((name) => InstanceName.make(name))

const event: FC.Arbitrary<Events.NewEvent> = FC.oneof(
  FC.constantFrom(...names).map((instance): Events.NewEvent => ({
    _tag: "Transition",
    instance,
    incarnation: 1,
    from: "starting",
    to: "running",
    cause: { _tag: "Boot" }
  })),
  FC.string().map((message): Events.NewEvent => ({ _tag: "Notice", level: "info", subject: "supervisor", message }))
)

const query = FC.record({ tail: FC.option(FC.nat(30)), sinceMs: FC.option(FC.nat(60_000)) })

const inMemory = (options = { capacity: 5000 }) => Layer.provide(Events.layerWith(options), Store.memory)

/** A clock that is a second later each time somebody looks. */
const ticking = (): Clock.Clock => {
  let now = 0
  return { ...Clock.make(), currentTimeMillis: Effect.sync(() => now += 1000) }
}

const publishAll = Effect.fnUntraced(function*(events: ReadonlyArray<Events.NewEvent>) {
  const { publish } = yield* Events.Events
  yield* Effect.forEach(events, publish)
})

const collect = (stream: Stream.Stream<EventRecord>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const notice: Events.NewEvent = { _tag: "Notice", level: "info", subject: "supervisor", message: "" }

/** A follower that has seen one event, and sees more when it asks. */
const following = Effect.gen(function*() {
  const { publish, read } = yield* Events.Events
  yield* publish(notice)
  const pull = yield* Stream.toPull(read({ tail: 1, sinceMs: null, follow: true }))
  yield* pull
  return Effect.map(pull, Chunk.toReadonlyArray)
})

describe("Events", () => {
  it.effect.prop(
    "keeps the newest, numbered without a gap, dated, and gives what is asked for",
    [FC.array(event, { maxLength: 40 }), FC.integer({ min: 1, max: 30 }), FC.array(query, { maxLength: 5 })],
    ([published, capacity, queries]) =>
      Effect.gen(function*() {
        const { read } = yield* Events.Events
        yield* publishAll(published)
        const model = published.map((event, i) => ({
          ...event,
          seq: i + 1,
          at: new Date((i + 1) * 1000).toISOString()
        })).slice(-capacity)
        for (const { sinceMs, tail } of queries) {
          const wanted = model.filter(({ at }) => sinceMs === null || Date.parse(at) >= sinceMs)
          assert.deepStrictEqual(
            yield* collect(read({ tail, sinceMs, follow: false })),
            wanted.slice(tail === null ? 0 : Math.max(0, wanted.length - tail))
          )
        }
      }).pipe(Effect.withClock(ticking()), Effect.provide(inMemory({ capacity }))),
    { fastCheck: { numRuns: 50 } }
  )

  it.effect.prop(
    "keeps the last 20 transitions of each instance, until it is forgotten",
    [FC.array(event, { maxLength: 120 })],
    ([published]) =>
      Effect.gen(function*() {
        const { forget, history } = yield* Events.Events
        yield* publishAll(published)
        for (const name of names) {
          const own = published.flatMap((event, i) =>
            event._tag === "Transition" && event.instance === name ? [i + 1] : []
          )
          assert.deepStrictEqual((yield* history(name)).map(({ seq }) => seq), own.slice(-20))
          yield* forget(name)
          assert.deepStrictEqual(yield* history(name), [])
        }
      }).pipe(Effect.provide(inMemory({ capacity: 5 }))),
    { fastCheck: { numRuns: 50 } }
  )

  it.scoped.prop(
    "gives a follower that keeps up everything, in order",
    [FC.array(FC.array(event, { minLength: 1, maxLength: 3 }), { maxLength: 20 })],
    ([published]) =>
      Effect.gen(function*() {
        const pull = yield* following
        let seq = 1
        for (const batch of published) {
          yield* publishAll(batch)
          assert.deepStrictEqual((yield* pull).map(({ seq }) => seq), batch.map(() => ++seq))
        }
      }).pipe(Effect.provide(inMemory({ capacity: 3 }))),
    { fastCheck: { numRuns: 40 } }
  )

  it.scoped("tells a follower how many events it missed, and never waits for it", () =>
    Effect.gen(function*() {
      const pull = yield* following
      yield* publishAll(Array.from({ length: 10 }, () => notice))
      const [gap, ...rest] = yield* pull
      assert.deepInclude(gap, { _tag: "Notice", level: "warning", seq: 8 })
      assert.match(gap?._tag === "Notice" ? gap.message : "", /^7 events are missing/)
      assert.deepStrictEqual(rest.map(({ seq }) => seq), [9, 10, 11])
    }).pipe(Effect.provide(inMemory({ capacity: 3 }))))

  it.scoped("begins with the past and goes on with what comes, each event once", () =>
    Effect.gen(function*() {
      const { read } = yield* Events.Events
      yield* publishAll(Array.from({ length: 5 }, () => notice))
      const pull = yield* Stream.toPull(read({ tail: 2, sinceMs: null, follow: true }))
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* pull).map(({ seq }) => seq), [4, 5])
      yield* publishAll([notice, notice])
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* pull).map(({ seq }) => seq), [6, 7])
    }).pipe(Effect.provide(inMemory())))
})
