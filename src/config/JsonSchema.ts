/**
 * What editors need to know of `tenement.toml`.
 *
 * @since 0.1.0
 */
import * as JSONSchema from "effect/JSONSchema"
import * as FileSchema from "./FileSchema.ts"

/**
 * The JSON Schema of the file.
 *
 * @since 0.1.0
 * @category constructors
 */
export const jsonSchema = (): JSONSchema.JsonSchema7Root => JSONSchema.make(FileSchema.File)
