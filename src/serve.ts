/**
 * `tenement serve` as an executable of its own, without what reads the words of the other commands: that would stay in
 * memory for as long as the supervisor runs. The launcher calls it with the words it has read.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { conclude } from "./cli/Outcome.ts"
import { serving } from "./cli/Serving.ts"
import type { Globals } from "./cli/Session.ts"

export { serve } from "./daemon.ts"

/**
 * Supervises until SIGTERM or SIGINT.
 *
 * @since 0.1.0
 * @category constructors
 */
export const main = ({ handover, ...globals }: Globals & { readonly handover: boolean }): void =>
  NodeRuntime.runMain(conclude(globals)(serving({ handover })), {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: () => process.exit()
  })
