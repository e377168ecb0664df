/**
 * Everything that happened, as it happens.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InstanceName } from "../domain/Names.ts"
import type { EventRecord, Notice, Transition } from "../domain/Views.ts"

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
