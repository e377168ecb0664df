/**
 * What is wrong with a configuration.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Position = Schema.NullOr(Schema.Int)

/**
 * One thing that is wrong, and where. Lines and columns count from 1, and are `null` where a program made the
 * configuration; `key` is empty where no key is at fault.
 *
 * @since 0.1.0
 * @category models
 */
export const ConfigIssue = Schema.Struct({
  file: Schema.String,
  line: Position,
  column: Position,
  key: Schema.String,
  message: Schema.String
}).annotations({ identifier: "ConfigIssue" })
/** @since 0.1.0 */
export type ConfigIssue = typeof ConfigIssue.Type

const shown = 100

const format = ({ column, file, key, line, message }: ConfigIssue): string =>
  `${line === null ? file : `${file}:${line}:${column}`}: ${key === "" ? "" : `${key}: `}${message}`

/**
 * The configuration cannot be used. All that is wrong with it is listed, in the order of the files and their lines.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  issues: Schema.NonEmptyArray(ConfigIssue)
}) {
  override get message() {
    const rest = this.issues.length - shown
    return this.issues.slice(0, shown).map(format).join("\n") + (rest > 0 ? `\n… and ${rest} more like these` : "")
  }
}
