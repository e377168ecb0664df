/**
 * The arguments that several commands have in common.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"

const word = Args.text({ name: "NAME" }).pipe(
  Args.withDescription("an instance (api:prod), or a service (api): all of its instances")
)

/**
 * One name at least.
 *
 * @since 0.1.0
 * @category arguments
 */
export const some: Args.Args<ReadonlyArray<string>> = Args.atLeast(word, 1)

/**
 * Any number of names; none means everything.
 *
 * @since 0.1.0
 * @category arguments
 */
export const any: Args.Args<ReadonlyArray<string>> = Args.repeated(word)
