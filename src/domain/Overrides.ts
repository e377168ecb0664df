/**
 * What a person has said of one instance, in the place of what the file says of its service. It is written down with the
 * instance, and holds until the person says something else.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { ServiceConfig } from "./Config.ts"

/**
 * What is left out is as the file says.
 *
 * @since 0.1.0
 * @category models
 */
export const Overrides = Schema.Struct({
  /** The words of the command. */
  argv: Schema.optionalWith(Schema.Array(Schema.String), { exact: true }),
  /** Its share of the service's traffic. */
  weight: Schema.optionalWith(Schema.Int, { exact: true }),
  /** The path that others connect to. */
  publicPath: Schema.optionalWith(Schema.String, { exact: true })
})
/** @since 0.1.0 */
export type Overrides = typeof Overrides.Type

/**
 * Nothing: one for all.
 *
 * @since 0.1.0
 * @category constants
 */
export const none: Overrides = {}

/**
 * A key that is `undefined` is as the file says again.
 *
 * @since 0.1.0
 * @category models
 */
export type Change = { readonly [K in keyof Overrides]?: Overrides[K] | undefined }

/**
 * What holds after `change`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (before: Overrides, change: Change): Overrides => {
  const merged = Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined))
  return Object.keys(merged).length === 0 ? none : merged
}

/**
 * The configuration of the instance.
 *
 * @since 0.1.0
 * @category combinators
 */
export const apply = (config: ServiceConfig, overrides: Overrides): ServiceConfig =>
  overrides === none ? config : { ...config, ...overrides }
