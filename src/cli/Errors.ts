/**
 * What can go wrong before anything was asked of a supervisor, and after.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The words of the command line make no sense. Nothing was done.
 *
 * @since 0.1.0
 * @category errors
 */
export class WordsWrong extends Schema.TaggedError<WordsWrong>()("WordsWrong", {
  message: Schema.String
}) {}

/**
 * It was asked, and the answer is no.
 *
 * @since 0.1.0
 * @category errors
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

/**
 * Something failed that was reported when it did.
 *
 * @since 0.1.0
 * @category errors
 */
export class Reported extends Schema.TaggedError<Reported>()("Reported", {
  /** The exit code it asks for. */
  code: Schema.Int
}) {}

/**
 * Whoever read the output went away, as `head` does: there is nobody left to tell.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputClosed extends Schema.TaggedError<OutputClosed>()("OutputClosed", {}) {}
