/**
 * The executable: hands the words to cli/ and its answer to the shell.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { main } from "./cli/main.ts"

NodeRuntime.runMain(main(process.argv.slice(2)), {
  disableErrorReporting: true,
  disablePrettyLogger: true,
  // An open connection or a library's timer must not keep a command that has done its work.
  teardown: () => process.exit()
})
