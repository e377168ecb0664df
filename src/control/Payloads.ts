/**
 * What requests and answers of the API carry, besides the views of instances.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { service as Rules } from "../domain/ConfigRules.ts"
import { InstanceId, ServiceName } from "../domain/Names.ts"

/**
 * How the supervisor itself is.
 *
 * @since 0.1.0
 * @category models
 */
export const Health = Schema.Struct({
  status: Schema.Literal("ok"),
  version: Schema.String,
  pid: Schema.Int,
  uptimeSeconds: Schema.Number,
  /** How many instances are in each state; states that none is in are left out. */
  instances: Schema.Record({ key: Schema.String, value: Schema.Int })
}).annotations({ identifier: "Health" })
/** @since 0.1.0 */
export type Health = typeof Health.Type

const Table = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/**
 * The configuration in force, laid out as the file is, every default filled in. Secrets are shown by name only.
 *
 * @since 0.1.0
 * @category models
 */
export const ConfigView = Schema.Struct({
  file: Schema.String,
  settings: Table,
  service: Schema.Record({ key: Schema.String, value: Table }),
  group: Schema.Record({ key: Schema.String, value: Table }),
  routing: Table
}).annotations({ identifier: "Config" })
/** @since 0.1.0 */
export type ConfigView = typeof ConfigView.Type

/**
 * What `POST /api/instances` takes.
 *
 * @since 0.1.0
 * @category models
 */
export const Spawn = Schema.Struct({ service: ServiceName, id: Schema.optional(InstanceId) }).annotations({
  identifier: "Spawn",
  parseOptions: { onExcessProperty: "error" }
})

/**
 * What `POST /api/deploy` takes: the words of a command in the place of the file's, and a weight beside the others in the
 * place of all traffic.
 *
 * @since 0.1.0
 * @category models
 */
export const Deploy = Schema.Struct({
  service: ServiceName,
  id: InstanceId,
  command: Schema.optional(Schema.Array(Schema.String).pipe(Schema.minItems(1), Schema.maxItems(1000))),
  share: Schema.optional(Rules.weight)
}).annotations({ identifier: "Deploy", parseOptions: { onExcessProperty: "error" } })

/**
 * What `PUT /api/instances/{name}/weight` takes; `null` is as the file says.
 *
 * @since 0.1.0
 * @category models
 */
export const Weigh = Schema.Struct({ weight: Schema.NullOr(Rules.weight) }).annotations({
  identifier: "Weigh",
  parseOptions: { onExcessProperty: "error" }
})

/**
 * What `POST /api/upgrade` takes. `command` are the words that start the other supervisor, up to its own `serve`; without,
 * it is started as this one was.
 *
 * @since 0.1.0
 * @category models
 */
export const Upgrade = Schema.Struct({
  command: Schema.optional(Schema.NonEmptyArray(Schema.NonEmptyString)),
  /** Until it is ready to take over. */
  timeoutSeconds: Schema.optional(Schema.Number.pipe(Schema.between(0.1, 3600)))
}).annotations({ identifier: "Upgrade", parseOptions: { onExcessProperty: "error" } })

const Incumbent = Schema.Struct({ pid: Schema.Int, version: Schema.String })

/**
 * Who is in charge now, and who was.
 *
 * @since 0.1.0
 * @category models
 */
export const Succession = Schema.Struct({ now: Incumbent, before: Incumbent }).annotations({
  identifier: "Succession"
})
/** @since 0.1.0 */
export type Succession = typeof Succession.Type
