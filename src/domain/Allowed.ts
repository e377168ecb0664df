/**
 * Schemas that say in words what a value may be.
 *
 * @since 0.1.0
 */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/**
 * The annotation that holds the words.
 *
 * @since 0.1.0
 * @category annotations
 */
export const Allowed: unique symbol = Symbol.for("tenement/domain/Allowed")

/**
 * What the values of a schema may be, if it says so.
 *
 * @since 0.1.0
 * @category annotations
 */
export const allowedBy = (ast: AST.AST): Option.Option<string> => AST.getAnnotation<string>(Allowed)(ast)

/**
 * Says what the values of a schema may be.
 *
 * @since 0.1.0
 * @category annotations
 */
export const allow = (allowed: string) => <S extends Schema.Annotable.All>(schema: S) =>
  schema.annotations({ [Allowed]: allowed }) as S

const listed = (values: ReadonlyArray<string>): string =>
  values.length < 2
    ? values.join()
    : `${values.slice(0, -1).join(", ")} or ${values[values.length - 1]}`

/**
 * One of a few words.
 *
 * @since 0.1.0
 * @category schemas
 */
export const oneOf = <const L extends readonly [string, ...ReadonlyArray<string>]>(...literals: L) =>
  literal(Schema.Literal(...literals))

/**
 * A literal type of the domain.
 *
 * @since 0.1.0
 * @category schemas
 */
export const literal = <L extends readonly [string, ...ReadonlyArray<string>]>(schema: Schema.Literal<[...L]>) =>
  schema.pipe(allow(listed(schema.literals.map((literal) => JSON.stringify(literal)))))

/**
 * Text that fits a pattern.
 *
 * @since 0.1.0
 * @category schemas
 */
export const text = (allowed: string, pattern: RegExp) => Schema.String.pipe(Schema.pattern(pattern), allow(allowed))

/**
 * A whole number.
 *
 * @since 0.1.0
 * @category schemas
 */
export const int = (min: number, max: number) =>
  Schema.Int.pipe(Schema.between(min, max), allow(`a whole number from ${min} to ${max}`))

/**
 * A number.
 *
 * @since 0.1.0
 * @category schemas
 */
export const number = (min: number, max: number) =>
  Schema.Number.pipe(Schema.between(min, max), allow(`a number from ${min} to ${max}`))
