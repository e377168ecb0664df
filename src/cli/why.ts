/**
 * `tenement why`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import { tell } from "./Descriptions.ts"
import * as Why from "./render/Why.ts"
import * as Words from "./Words.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const why = Command.make("why", { words: Words.some }, ({ words }) => tell(words, Why.lines)).pipe(
  Command.withDescription(
    "Tells why instances are in the state they are in: what happened, what comes next, what to do."
  )
)
