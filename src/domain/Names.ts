/**
 * Names of services, groups and instances: checked once, at the door, so that what reaches a path, a cgroup,
 * a log line or a metric label is known to be harmless.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const pattern = /^[a-z0-9][a-z0-9_-]{0,62}$/

const message = (what: string) => (actual: unknown) =>
  `${what} must be 1 to 63 of a-z, 0-9, "_" and "-", beginning with a letter or a digit; found ${
    JSON.stringify(actual)?.slice(0, 80) ?? String(actual)
  }`

/**
 * The name of a `[service.NAME]` table.
 *
 * @since 0.1.0
 * @category models
 */
export const ServiceName = Schema.String.pipe(
  Schema.pattern(pattern, { message: (issue) => message("a service's name")(issue.actual) }),
  Schema.brand("ServiceName"),
  Schema.annotations({ identifier: "ServiceName", description: "1 to 63 of a-z, 0-9, _ and -" })
)
/** @since 0.1.0 */
export type ServiceName = typeof ServiceName.Type

/**
 * The name of a `[group.NAME]` table.
 *
 * @since 0.1.0
 * @category models
 */
export const GroupName = Schema.String.pipe(
  Schema.pattern(pattern, { message: (issue) => message("a group's name")(issue.actual) }),
  Schema.brand("GroupName"),
  Schema.annotations({ identifier: "GroupName", description: "1 to 63 of a-z, 0-9, _ and -" })
)
/** @since 0.1.0 */
export type GroupName = typeof GroupName.Type

/**
 * What tells the instances of one service apart; `default` when none is given.
 *
 * @since 0.1.0
 * @category models
 */
export const InstanceId = Schema.String.pipe(
  Schema.pattern(pattern, { message: (issue) => message("an instance's id")(issue.actual) }),
  Schema.brand("InstanceId"),
  Schema.annotations({ identifier: "InstanceId", description: "1 to 63 of a-z, 0-9, _ and -" })
)
/** @since 0.1.0 */
export type InstanceId = typeof InstanceId.Type

/**
 * The id an instance gets when nobody names one.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultId: InstanceId = InstanceId.make("default")

const instancePattern = /^[a-z0-9][a-z0-9_-]{0,62}:[a-z0-9][a-z0-9_-]{0,62}$/

/**
 * `SERVICE:ID`, the full name of an instance.
 *
 * @since 0.1.0
 * @category models
 */
export const InstanceName = Schema.String.pipe(
  Schema.pattern(instancePattern, {
    message: (issue) =>
      `an instance is named SERVICE:ID, each of a-z, 0-9, "_" and "-"; found ${
        JSON.stringify(issue.actual)?.slice(0, 140) ?? String(issue.actual)
      }`
  }),
  Schema.brand("InstanceName"),
  Schema.annotations({ identifier: "InstanceName", description: "SERVICE:ID" })
)
/** @since 0.1.0 */
export type InstanceName = typeof InstanceName.Type

/**
 * The full name of one instance of a service.
 *
 * @since 0.1.0
 * @category constructors
 */
export const instanceName = (service: ServiceName, id: InstanceId): InstanceName =>
  InstanceName.make(`${service}:${id}`, { disableValidation: true })

/**
 * The two parts of an instance's name.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parts = (name: InstanceName): { readonly service: ServiceName; readonly id: InstanceId } => {
  const colon = name.indexOf(":")
  return {
    service: ServiceName.make(name.slice(0, colon), { disableValidation: true }),
    id: InstanceId.make(name.slice(colon + 1), { disableValidation: true })
  }
}
