/**
 * What the words after a command's name stand for.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { InstanceId, InstanceName, parts, ServiceName } from "../domain/Names.ts"
import { nearest } from "../domain/Nearest.ts"
import type { InstanceView } from "../domain/Views.ts"
import { Refused, WordsWrong } from "./Errors.ts"

/**
 * A check of one word by a schema, whose message is what the person gets to read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const checked = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknown(schema)
  return (word: string): Effect.Effect<A, WordsWrong> =>
    Effect.mapError(
      decode(word),
      ({ issue }) =>
        new WordsWrong({
          message: ParseResult.ArrayFormatter.formatIssueSync(issue).map((it) => it.message).join("; ")
        })
    )
}

/**
 * `api:prod`, and nothing else.
 *
 * @since 0.1.0
 * @category combinators
 */
export const instance: (word: string) => Effect.Effect<InstanceName, WordsWrong> = checked(InstanceName)

/**
 * @since 0.1.0
 * @category combinators
 */
export const service: (word: string) => Effect.Effect<ServiceName, WordsWrong> = checked(ServiceName)

/**
 * @since 0.1.0
 * @category combinators
 */
export const id: (word: string) => Effect.Effect<InstanceId, WordsWrong> = checked(InstanceId)

/**
 * One word: an instance, or a service, which stands for all of its instances.
 *
 * @since 0.1.0
 * @category models
 */
export type Target =
  | { readonly _tag: "Instance"; readonly name: InstanceName }
  | { readonly _tag: "Service"; readonly name: ServiceName }

/**
 * @since 0.1.0
 * @category combinators
 */
export const target = (word: string): Effect.Effect<Target, WordsWrong> =>
  word.includes(":")
    ? Effect.map(instance(word), (name) => ({ _tag: "Instance", name }))
    : Effect.map(service(word), (name) => ({ _tag: "Service", name }))

/**
 * The instances that the words stand for, each once, in the order of the words. All words are checked before `list` is
 * asked, and it is asked only where a service is named.
 *
 * @since 0.1.0
 * @category combinators
 */
export const instances = Effect.fn("Targets.instances")(function*<E, R>(
  words: ReadonlyArray<string>,
  list: Effect.Effect<ReadonlyArray<InstanceView>, E, R>
) {
  const targets = yield* Effect.forEach(words, target)
  const known = targets.some((it) => it._tag === "Service") ? yield* list : []
  const names = yield* Effect.forEach(targets, (it): Effect.Effect<ReadonlyArray<InstanceName>, Refused> => {
    if (it._tag === "Instance") return Effect.succeed([it.name])
    const found = known.flatMap(({ name }) => parts(name).service === it.name ? [name] : [])
    if (found.length > 0) return Effect.succeed(found)
    const near = nearest(it.name, [...new Set(known.map(({ name }) => parts(name).service))])
    return Effect.fail(
      new Refused({
        message: `there is no instance of a service "${it.name}"; ` + (near === null
          ? `\`tenement ps\` lists what there is; if the file has such a service, \`tenement spawn ${it.name}\` creates one`
          : `did you mean "${near}"?`)
      })
    )
  })
  return {
    names: [...new Set(names.flat())],
    /** One instance was named by its full name: the result is one object, not an array. */
    single: targets.length === 1 && targets[0]?._tag === "Instance"
  }
})
