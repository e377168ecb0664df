/**
 * `tenement nginx`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Configuration from "./Configuration.ts"
import { WordsWrong } from "./Errors.ts"
import * as NginxFile from "./render/NginxFile.ts"
import { print, printJson, Session } from "./Session.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const nginx = Command.make(
  "nginx",
  {
    listen: Options.text("listen").pipe(
      Options.withPseudoName("ADDRESS"),
      Options.withDescription("where nginx listens: 80, 127.0.0.1:8080, \"443 ssl\"; may be given again. Default: 80"),
      Options.repeated
    )
  },
  Effect.fnUntraced(function*({ listen }) {
    const { err, globals } = yield* Session
    const wrong = listen.find((text) => !NginxFile.isListen(text))
    if (wrong !== undefined) {
      return yield* new WordsWrong({
        message: `--listen takes a port, ADDRESS:PORT, and "ssl" after it; found ${JSON.stringify(wrong)}`
      })
    }
    const config = yield* Configuration.load
    const { text, unreachable } = NginxFile.make(config, listen.length === 0 ? ["80"] : listen)
    if (globals.json) return yield* printJson({ file: config.file, nginx: text, unreachable })
    yield* print([text.trimEnd()])
    if (unreachable.length > 0) {
      yield* Effect.ignore(err.write(`nginx has no way to ${unreachable.join(", ")}: the file says why\n`))
    }
  })
).pipe(Command.withDescription("Prints the nginx file that serves this configuration; needs no supervisor."))
