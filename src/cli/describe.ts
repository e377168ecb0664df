/**
 * `tenement describe`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import { tell } from "./Descriptions.ts"
import * as Describe from "./render/Describe.ts"
import * as Words from "./Words.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const describe = Command.make("describe", { words: Words.some }, ({ words }) => tell(words, Describe.lines))
  .pipe(
    Command.withDescription("Tells all that is known of instances.")
  )
