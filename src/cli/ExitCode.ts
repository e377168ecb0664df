/**
 * What the program's exit code says.
 *
 * @since 0.1.0
 */

/**
 * - `done`: what was asked for is so
 * - `failed`: it is not, and stderr says why
 * - `wrong`: the words, or the file, make no sense; nothing was done
 * - `noSupervisor`: there is nobody to ask
 * - `interrupted`: Ctrl-C, as a shell counts it
 *
 * @since 0.1.0
 * @category constants
 */
export const codes = { done: 0, failed: 1, wrong: 2, noSupervisor: 3, interrupted: 130 } as const

const byTag: ReadonlyMap<string, number> = new Map([
  ["OutputClosed", codes.done],
  ["WordsWrong", codes.wrong],
  ["ConfigInvalid", codes.wrong],
  ["ConfigNotFound", codes.wrong],
  ["SocketUntold", codes.wrong],
  ["BadRequest", codes.wrong],
  ["NoSupervisor", codes.noSupervisor]
])

/**
 * The exit code for an error.
 *
 * @since 0.1.0
 * @category combinators
 */
export const of = (error: { readonly _tag: string; readonly code?: unknown }): number =>
  error._tag === "Reported" && typeof error.code === "number" ? error.code : byTag.get(error._tag) ?? codes.failed
