/**
 * `[group.NAME]`
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Rules from "../domain/ConfigRules.ts"
import { fieldsOf, key, maybe, needed, standardsOf } from "./Keys.ts"
import * as Values from "./Values.ts"

const groupKeys = {
  services: needed(Schema.NonEmptyArray(Values.serviceName), "Its members, in start order."),
  strategy: key(Rules.group.strategy, "one-for-one", "Who else is restarted when a member fails."),
  max_restarts: maybe(
    Values.restarts,
    "So many rounds of restarts are allowed within restart_window. Default: settings.max_restarts."
  ),
  restart_window: maybe(
    Values.seconds(Rules.least.restartWindow),
    "The window that max_restarts counts in. Default: settings.restart_window."
  )
}

/**
 * Its schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const schema = Schema.Struct(fieldsOf(groupKeys))

/**
 * `[group.NAME]`, defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type GroupTable = typeof schema.Type & typeof defaults

/**
 * The defaults of `[group.NAME]`.
 *
 * @since 0.1.0
 * @category defaults
 */
export const defaults = standardsOf(groupKeys)
