/**
 * `tenement init`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Configuration from "./Configuration.ts"
import { Refused } from "./Errors.ts"
import { print, printJson, Session } from "./Session.ts"

/**
 * A first file: it works as it stands, and says what else there is.
 *
 * @since 0.1.0
 * @category constants
 */
export const firstFile =
  `# Services that tenement keeps alive. \`tenement config check\` checks this file, \`tenement serve\` runs it,
# \`tenement ps\` shows what runs, \`tenement reload\` applies what was changed here.

[settings]
data_dir = "./state"             # logs and one folder for each instance; "/var/lib/tenement" on a server
# listen = "127.0.0.1:8000"      # metrics and the API over TCP; "off" turns it off
# max_restarts = 3               # more automatic restarts than this ...
# restart_window = "5m"          # ... within this time, and an instance is given up

# A service: what to run, and how to keep it running. This one answers "hello" on its socket:
#   curl --unix-socket "$(tenement spawn hello)" http://hello/
[service.hello]
command = "node"
args = ["-e", "require('http').createServer((_, r) => r.end('hello\\\\n')).listen(process.env.SOCKET_PATH)"]
health = "/"                     # an HTTP path that answers 2xx or 3xx while all is well
restart = "on-failure"           # or "always", "never"
isolation = "process"
# socket = "/tmp/hello.sock"     # where others connect; the service itself listens on $SOCKET_PATH
# instances = ["default"]        # those that run from the start
# depends_on = ["database"]      # services that must be ready first
# env = { LOG_LEVEL = "info" }
# stop_timeout = 10              # seconds between the stop signal and SIGKILL
`

/**
 * @since 0.1.0
 * @category commands
 */
export const init = Command.make(
  "init",
  {},
  Effect.fnUntraced(function*() {
    const { globals } = yield* Session
    const { config } = yield* Configuration.choice
    const file = Path.resolve(config ?? "tenement.toml")
    yield* Effect.try({
      // Not over what is there, not even if it came to be a moment ago.
      try: () => {
        Fs.mkdirSync(Path.dirname(file), { recursive: true })
        Fs.writeFileSync(file, firstFile, { flag: "wx" })
      },
      catch: (error) => {
        const { code, message } = error as NodeJS.ErrnoException
        return new Refused({
          message: code === "EEXIST"
            ? `${file} is there already, and was left as it is; --config names another place`
            : `${file} could not be written: ${message}`
        })
      }
    })
    yield* globals.json
      ? printJson({ file })
      : print([`${file} is written; \`tenement serve\` runs what it describes`])
  })
).pipe(Command.withDescription("Writes a first tenement.toml that works as it stands."))
