/**
 * The executable: hands the words to cli/ and its answer to the shell.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { main } from "./cli/main.ts"

// A client that is derived from its API asks of every body whether it is a `FormData`, which none is. To answer that,
// Node would load an HTTP library of its own: 50 ms and 9 MB of a command that takes 150 ms and 50 MB.
Object.defineProperty(globalThis, "FormData", { value: class FormData {}, configurable: true, writable: true })

NodeRuntime.runMain(main(process.argv.slice(2)), {
  disableErrorReporting: true,
  disablePrettyLogger: true,
  // An open connection or a library's timer must not keep a command that has done its work.
  teardown: () => process.exit()
})
