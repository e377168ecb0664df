/**
 * Something wrong with a configuration, in the words of the configuration itself: where a file says it is not known here.
 *
 * @since 0.1.0
 */

/**
 * Where in a configuration: table names, keys, indices of arrays.
 *
 * @since 0.1.0
 * @category models
 */
export type Path = ReadonlyArray<string | number>

/**
 * What is wrong, and where. The message stands by itself; it is `other` that would complete it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  readonly path: Path
  readonly message: string
  /** The other place that has to do with it. */
  readonly other?: Path
  /** The key, of the same service, that is missing. */
  readonly needs?: string
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const fault = (path: Path, message: string, more: Pick<Fault, "needs" | "other"> = {}): Fault => ({
  path,
  message,
  ...more
})

const bare = /^[A-Za-z0-9_-]+$/

/**
 * A path as the file would write it: `service.api.args[0]`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part}]`
        : `${text}${text === "" ? "" : "."}${bare.test(part) ? part : JSON.stringify(part)}`,
    ""
  )
