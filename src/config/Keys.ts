/**
 * How the keys of a table are told: value, description, default.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

const described = <A, I>(schema: Schema.Schema<A, I>, description: string): Schema.Schema<A, I> =>
  schema.annotations({ description })

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * A key that must be there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const needed = <A, I>(schema: Schema.Schema<A, I>, description: string) => ({
  field: described(schema, description)
})

/**
 * A key that may be left out; its description says what holds then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const maybe = <A, I>(schema: Schema.Schema<A, I>, description: string) => ({
  field: optional(described(schema, description))
})

/**
 * A key with a default, given as the file would write it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const key = <A, I>(schema: Schema.Schema<A, I>, written: I, description: string) => {
  const standard = Either.getOrThrow(Schema.decodeEither(schema)(written))
  return { field: optional(described(schema, description).annotations({ default: standard })), standard }
}

/**
 * The keys of a table.
 *
 * @since 0.1.0
 * @category models
 */
export type Keys = Readonly<Record<string, { readonly field: Schema.Struct.Field; readonly standard?: unknown }>>

type FieldsOf<K extends Keys> = { readonly [N in keyof K]: K[N]["field"] }

type StandardsOf<K extends Keys> = {
  readonly [N in keyof K as K[N] extends { readonly standard: unknown } ? N : never]: K[N]["standard"]
}

/**
 * The fields of a table's schema. Defaults are no part of it: it would check each of them again for each service.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fieldsOf = <K extends Keys>(keys: K): FieldsOf<K> => mapped(keys, ({ field }) => [field]) as FieldsOf<K>

/**
 * The defaults of those keys that have one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const standardsOf = <K extends Keys>(keys: K): StandardsOf<K> =>
  mapped(keys, (key) => "standard" in key ? [key.standard] : []) as StandardsOf<K>

const mapped = <K extends Keys>(keys: K, pick: (key: Keys[string]) => ReadonlyArray<unknown>): object =>
  Object.fromEntries(Object.entries(keys).flatMap(([name, key]) => pick(key).map((picked) => [name, picked])))
