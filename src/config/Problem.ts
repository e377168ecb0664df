/**
 * Something wrong, before it is known at which line: positions are looked up only when there are problems.
 *
 * @since 0.1.0
 */
import type { Path } from "../domain/Fault.ts"

/**
 * A file that was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Text {
  /** As the person named it. */
  readonly file: string
  readonly text: string
}

/**
 * A key of a file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly source: Text
  readonly path: Path
}

/**
 * A problem, at a path of a file whose lines are still to be found, or at a place that is known.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem =
  | {
    readonly _tag: "AtPath"
    readonly source: Text
    readonly path: Path
    /** Whether the key itself is wrong, or the value that it has. */
    readonly mark: "key" | "value"
    readonly message: string
    /** The other place that has to do with it; the message is completed with its line. */
    readonly other?: Place
  }
  | {
    readonly _tag: "AtLine"
    readonly file: string
    readonly line: number
    readonly column: number
    readonly message: string
  }

/**
 * The value at this path is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const atValue = (source: Text, path: Path, message: string): Problem => ({
  _tag: "AtPath",
  source,
  path,
  mark: "value",
  message
})

/**
 * The key at this path is wrong, or something is missing in the table that it names.
 *
 * @since 0.1.0
 * @category constructors
 */
export const atKey = (source: Text, path: Path, message: string): Problem => ({
  _tag: "AtPath",
  source,
  path,
  mark: "key",
  message
})

/**
 * The key was given before, at another place.
 *
 * @since 0.1.0
 * @category constructors
 */
export const atBoth = (place: Place, other: Place, message: string): Problem => ({
  _tag: "AtPath",
  ...place,
  mark: "key",
  message,
  other
})

/**
 * A file is wrong at this line, or as a whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const atLine = (file: string, message: string, line = 1, column = 1): Problem => ({
  _tag: "AtLine",
  file,
  line,
  column,
  message
})
