/**
 * Follows lines and events beyond the end of a supervisor: another one goes on where it ended.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Client } from "../control/Client.ts"
import { type LogSelection, placeName, type Selection } from "../control/Queries.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { EventRecord, LogLine } from "../domain/Views.ts"
import { Session } from "./Session.ts"

/** How long nobody may be there. */
const patience = "1 minute"

const untilThere = Schedule.spaced("250 millis").pipe(Schedule.upTo(patience))

/** A request has room for so much of them; of the others everything is told again, and what is known left out. */
const maxPlaces = 2000

type Lines = ReturnType<Client["Type"]["logs"]>
type Happenings = ReturnType<Client["Type"]["events"]>

const ends: ReadonlySet<string> = new Set(["ConnectionLost", "NoSupervisor", "ShuttingDown", "HandedOver"])

/** `first`, and `rest` of each supervisor that comes after the one before. */
const beyond = <A, E extends { readonly _tag: string }>(
  client: Client["Type"],
  first: Stream.Stream<A, E>,
  rest: Stream.Stream<A, E>
) => {
  // One that made way has another in its place already.
  const announced = ({ _tag }: E) =>
    _tag === "HandedOver" ? Effect.void : Effect.flatMap(
      Session,
      ({ err }) => Effect.ignore(err.write("tenement: the supervisor is gone; waiting for another\n"))
    )
  const another = (error: E) =>
    Effect.zipRight(
      announced(error),
      Effect.mapError(Effect.retry(client.supervisor.health({}), untilThere), () => error)
    )
  const goOn = (error: E): Stream.Stream<A, E, Session> =>
    ends.has(error._tag)
      ? Stream.unwrap(Effect.as(another(error), Stream.suspend(() => again)))
      : Stream.fail(error)
  // A supervisor that has just come up may not know all instances yet.
  const again: Stream.Stream<A, E, Session> = rest.pipe(
    Stream.retry(Schedule.intersect(untilThere, Schedule.recurWhile((error: E) => error._tag === "NoSuchInstance"))),
    Stream.catchAll(goOn)
  )
  return Stream.catchAll(first, goOn)
}

/** The places that were come to, those of the newest lines first, as far as there is room. */
const placesOf = (seen: ReadonlyMap<InstanceName, number>): ReadonlyMap<InstanceName, number> => {
  let room = maxPlaces
  return new Map(
    [...seen].toReversed().filter(([instance, seq]) => {
      room -= encodeURIComponent(`after=${placeName(instance, seq)}&`).length
      return room > 0
    })
  )
}

/**
 * The lines that `client` gives for `selection`, and those of the supervisors that come after this one: each line once.
 * Fails when none comes within a minute.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lines = (client: Client["Type"], selection: LogSelection) =>
  Stream.unwrap(Effect.gen(function*() {
    const begun = yield* Clock.currentTimeMillis
    const seen = new Map<InstanceName, number>()
    const remember = ({ instance, seq }: LogLine) => {
      seen.delete(instance)
      seen.set(instance, seq)
    }
    const ask = (selection: LogSelection): Lines =>
      Stream.mapChunks(client.logs(selection), (chunk) => {
        for (const line of chunk) remember(line)
        return chunk
      })
    const { tail: _, ...all } = selection
    // Of those that had said nothing, all is new that was said since.
    const since = new Date(begun).toISOString()
    const rest = (): Lines => {
      const known = new Map(seen)
      const places = placesOf(known)
      const after = [...places].map(([instance, seq]) => placeName(instance, seq))
      return Stream.filter(
        ask({ ...all, since, after }),
        ({ instance, seq }) => places.has(instance) || seq > (known.get(instance) ?? 0)
      )
    }
    return beyond(client, ask(selection), Stream.suspend(rest))
  }))

/**
 * The events that `client` gives for `selection`, and those of the supervisors that come after this one: each event once.
 * Fails when none comes within a minute.
 *
 * @since 0.1.0
 * @category constructors
 */
export const events = (client: Client["Type"], selection: Selection) =>
  Stream.unwrap(Effect.gen(function*() {
    const begun = new Date(yield* Clock.currentTimeMillis).toISOString()
    let last: EventRecord | null = null
    const ask = (selection: Selection): Happenings =>
      Stream.mapChunks(client.events(selection), (chunk) => {
        for (const event of chunk) last = event
        return chunk
      })
    const { tail: _, ...all } = selection
    const rest = (): Happenings => {
      const known = last
      // One that was killed may have told events that it had not written down: their numbers are others' then.
      return known === null
        ? ask({ ...all, since: begun })
        : Stream.filter(ask({ ...all, since: known.at }), ({ at, seq }) => seq > known.seq || at > known.at)
    }
    return beyond(client, ask(selection), Stream.suspend(rest))
  }))
