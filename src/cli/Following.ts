/**
 * Follows lines beyond the end of a supervisor: another one goes on where it ended.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Client } from "../control/Client.ts"
import { type LogSelection, placeName } from "../control/Queries.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { LogLine } from "../domain/Views.ts"
import { Session } from "./Session.ts"

/** How long nobody may be there. */
const patience = "1 minute"

const untilThere = Schedule.spaced("250 millis").pipe(Schedule.upTo(patience))

/** A request has room for so much of them; of the others everything is told again, and what is known left out. */
const maxPlaces = 2000

type Lines = ReturnType<Client["Type"]["logs"]>
type Failure = Stream.Stream.Error<Lines>

const isGone = ({ _tag }: Failure): boolean =>
  _tag === "ConnectionLost" || _tag === "ShuttingDown" || _tag === "NoSupervisor"

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
    const { err } = yield* Session
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
    const wait = Effect.zipRight(
      Effect.ignore(err.write("tenement: the supervisor is gone; waiting for another\n")),
      Effect.retry(client.supervisor.health({}), untilThere)
    )
    const goOn = (error: Failure): Lines =>
      isGone(error)
        ? Stream.unwrap(Effect.as(Effect.mapError(wait, () => error), Stream.suspend(() => again)))
        : Stream.fail(error)
    // A supervisor that has just come up may not know all instances yet.
    const again: Lines = Stream.suspend(rest).pipe(
      Stream.retry(
        Schedule.intersect(untilThere, Schedule.recurWhile((error: Failure) => error._tag === "NoSuchInstance"))
      ),
      Stream.catchAll(goOn)
    )
    return Stream.catchAll(ask(selection), goOn)
  }))
