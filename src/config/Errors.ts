/**
 * What can be wrong before a configuration is read.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * There is no configuration at any of the places where one is looked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConfigNotFound extends Schema.TaggedError<ConfigNotFound>()("ConfigNotFound", {
  tried: Schema.Array(Schema.String)
}) {
  override get message() {
    return `there is no configuration: looked for ${this.tried.join(" and ")}`
  }
}
