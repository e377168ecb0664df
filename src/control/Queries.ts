/**
 * What the query of a request may say. What it does not know it refuses: a misspelt parameter must not pass for one
 * that was never sent.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Durations from "../config/Durations.ts"
import { InstanceName } from "../domain/Names.ts"

const strict = { parseOptions: { onExcessProperty: "error" } } as const

const Count = Schema.NumberFromString.pipe(
  Schema.int(),
  Schema.between(0, 100_000, { message: () => "a whole number from 0 to 100000" })
).annotations({ description: "how many of the newest, 0 to 100000" })

const instant = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/**
 * The moment that `since` names, in milliseconds since 1970: an ISO 8601 time, or how long before `now` (`90s`, `5m`).
 *
 * @since 0.1.0
 * @category combinators
 */
export const sinceMillis = (text: string, now: number): Option.Option<number> => {
  if (!instant.test(text)) return Option.map(Durations.parse(text), (ms) => now - ms)
  const time = Date.parse(text)
  return Number.isNaN(time) ? Option.none() : Option.some(time)
}

const Since = Schema.String.pipe(
  Schema.maxLength(40),
  Schema.filter((text) =>
    Option.isSome(sinceMillis(text, 0)) || "a duration such as 90s, 5m or 2h, or an ISO 8601 time"
  )
).annotations({ description: "a duration such as 5m, or an ISO 8601 time" })

const Grep = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(200)).annotations({
  description: "a regular expression that a line must match"
})

const Flag = Schema.BooleanFromString

const Seq = Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative({ message: () => "the number of a line" }))
  .annotations({ description: "the number of a line: only what follows it" })

const place = /^(.+)=(\d{1,15})$/

/**
 * Which instance's line `NAME=SEQ` names, and its number.
 *
 * @since 0.1.0
 * @category combinators
 */
export const placeOf = (text: string): Option.Option<readonly [instance: InstanceName, seq: number]> => {
  const [, name = "", seq] = place.exec(text) ?? []
  return Option.map(Schema.decodeOption(InstanceName)(name), (instance) => [instance, Number(seq)])
}

/**
 * How a line is named, for whoever goes on behind it later.
 *
 * @since 0.1.0
 * @category combinators
 */
export const placeName = (instance: InstanceName, seq: number): string => `${instance}=${seq}`

const Place = Schema.String.pipe(
  Schema.maxLength(300),
  Schema.filter((text) => Option.isSome(placeOf(text)) || "NAME=SEQ, such as api:default=120")
).annotations({ description: "NAME=SEQ: of this instance only what follows the line with that number" })

const selection = {
  tail: Schema.optional(Count),
  since: Schema.optional(Since),
  grep: Schema.optional(Grep),
  follow: Schema.optional(Flag)
}

/**
 * Which events: the newest `tail` since `since` that match `grep`; with `follow` also those to come.
 *
 * @since 0.1.0
 * @category models
 */
export const Selection = Schema.Struct(selection).annotations(strict)
/** @since 0.1.0 */
export type Selection = typeof Selection.Type

/**
 * Which lines of one instance: the same, and only those `after` a line.
 *
 * @since 0.1.0
 * @category models
 */
export const LineSelection = Schema.Struct({ ...selection, after: Schema.optional(Seq) }).annotations(strict)
/** @since 0.1.0 */
export type LineSelection = typeof LineSelection.Type

/**
 * Which lines of which instances; none named means all.
 *
 * @since 0.1.0
 * @category models
 */
export const LogSelection = Schema.Struct({
  instance: Schema.optional(Schema.Array(InstanceName).pipe(Schema.maxItems(1000))),
  ...selection,
  after: Schema.optional(Schema.Array(Place).pipe(Schema.maxItems(1000)))
}).annotations(strict)
/** @since 0.1.0 */
export type LogSelection = typeof LogSelection.Type

/**
 * @since 0.1.0
 * @category models
 */
export const Removal = Schema.Struct({
  data: Schema.optional(Flag.annotations({ description: "also delete the instance's folder" }))
}).annotations(strict)

/**
 * @since 0.1.0
 * @category models
 */
export const Route = Schema.Struct({
  keep: Schema.optional(Flag.annotations({ description: "leave the others running, without traffic" }))
}).annotations(strict)

/**
 * @since 0.1.0
 * @category models
 */
export const Reload = Schema.Struct({
  dryRun: Schema.optional(Flag.annotations({ description: "only say what would be done" }))
}).annotations(strict)
