/**
 * Everything that happened, as it happens.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { InstanceName } from "../domain/Names.ts"
import { EventRecord, type Notice, type Transition } from "../domain/Views.ts"
import { Store } from "./Store.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type NewEvent = Omit<Transition, "seq" | "at"> | Omit<Notice, "seq" | "at">

/**
 * The event log. Bounded: what is older than it holds is gone, and a follower that is too slow is told how many it
 * missed.
 *
 * @since 0.1.0
 * @category tags
 */
export class Events extends Context.Tag("tenement/layers/Events")<Events, {
  /** Numbers, dates and keeps an event, and passes it to whoever follows. Never waits for a follower. */
  readonly publish: (event: NewEvent) => Effect.Effect<void>
  /** The newest transitions of one instance, oldest first; at most 20. */
  readonly history: (instance: InstanceName) => Effect.Effect<ReadonlyArray<Transition>>
  /** The instance was removed: its own history is dropped. */
  readonly forget: (instance: InstanceName) => Effect.Effect<void>
  /** The newest `tail` events (all that are kept, when null) since `sinceMs`, then, with `follow`, those to come. */
  readonly read: (query: {
    readonly tail: number | null
    readonly sinceMs: number | null
    readonly follow: boolean
  }) => Stream.Stream<EventRecord>
}>() {}

const historyLength = 20

/** The newest `capacity` records, addressed by their `seq`. */
class Ring {
  private readonly slots: Array<EventRecord> = []
  private readonly capacity: number
  private count = 0
  last = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get first(): number {
    return this.last - this.count + 1
  }

  /** Where a record is kept, until another one takes its place. */
  slotOf({ seq }: EventRecord): number {
    return (seq - 1) % this.capacity
  }

  push(record: EventRecord): void {
    // After a gap nothing before it is of use: records are addressed by their numbers.
    this.count = record.seq === this.last + 1 ? Math.min(this.count + 1, this.capacity) : 1
    this.slots[this.slotOf(record)] = record
    this.last = record.seq
  }

  /** What is kept of the record numbered `seq` and all after it. */
  from(seq: number): Array<EventRecord> {
    const from = Math.max(seq, this.first)
    if (from > this.last) return []
    const start = (from - 1) % this.capacity
    const count = this.last - from + 1
    return [
      ...this.slots.slice(start, start + count),
      ...this.slots.slice(0, Math.max(0, start + count - this.capacity))
    ]
  }
}

/** What a follower is told in place of events that left the ring before it came for them. */
const gap = (missed: number, before: EventRecord): Notice => ({
  _tag: "Notice",
  seq: before.seq - 1,
  at: before.at,
  level: "warning",
  subject: "supervisor",
  message: `${missed} events are missing here: this reader was too slow for them`
})

const prefix = "event "

const decode = Schema.decodeUnknownOption(EventRecord)

/** What an earlier supervisor has kept, oldest first. */
const kept = ({ take }: Context.Tag.Service<Store>): Effect.Effect<ReadonlyArray<EventRecord>> =>
  Effect.map(
    take(prefix),
    (found) => [...found.values()].flatMap((value) => Option.toArray(decode(value))).sort((a, b) => a.seq - b.seq)
  )

/**
 * The newest `capacity` events, which the store keeps for the next supervisor. Followers keep a position in the one ring, not a queue of their
 * own: any number of them, however slow, costs nothing to who publishes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: { readonly capacity: number }): Layer.Layer<Events, never, Store> =>
  Layer.effect(
    Events,
    Effect.gen(function*() {
      const store = yield* Store
      const ring = new Ring(options.capacity)
      const histories = new Map<InstanceName, Array<Transition>>()
      const news = yield* PubSub.sliding<void>(1)

      const keep = (record: EventRecord) => {
        ring.push(record)
        if (record._tag !== "Transition") return
        const history = histories.get(record.instance)
        if (history === undefined) histories.set(record.instance, [record])
        else if (history.push(record) > historyLength) history.shift()
      }
      for (const record of yield* kept(store)) keep(record)

      const publish = Effect.fnUntraced(function*(event: NewEvent) {
        const at = new Date(yield* Clock.currentTimeMillis).toISOString()
        const record: EventRecord = { ...event, seq: ring.last + 1, at }
        keep(record)
        yield* store.put(`${prefix}${ring.slotOf(record)}`, record)
        yield* PubSub.publish(news, undefined)
      })

      const follow = (after: number, awaken: Queue.Dequeue<void>) => {
        let next = after + 1
        return Stream.repeatEffectChunk(Effect.map(Queue.take(awaken), () => {
          const missed = ring.first - next
          const records = ring.from(next)
          next = ring.last + 1
          const [oldest] = records
          return Chunk.unsafeFromArray(
            missed > 0 && oldest !== undefined ? [gap(missed, oldest), ...records] : records
          )
        }))
      }

      return {
        publish,
        history: (instance) => Effect.sync(() => [...(histories.get(instance) ?? [])]),
        forget: (instance) =>
          Effect.sync(() => {
            histories.delete(instance)
          }),
        read: ({ follow: following, sinceMs, tail }) =>
          Stream.unwrapScoped(Effect.gen(function*() {
            const awaken = following ? yield* PubSub.subscribe(news) : null
            const recent = sinceMs === null ? ring.from(1) : ring.from(1).filter((e) => Date.parse(e.at) >= sinceMs)
            const kept = tail === null ? recent : recent.slice(Math.max(0, recent.length - Math.max(0, tail)))
            const past = Stream.fromIterable(kept)
            return awaken === null ? past : Stream.concat(past, follow(ring.last, awaken))
          }))
      }
    })
  )

/**
 * The newest 5000 events.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Events, never, Store> = layerWith({ capacity: 5000 })
