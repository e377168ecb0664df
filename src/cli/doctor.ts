/**
 * `tenement doctor`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { errors } from "../domain/Diagnosis.ts"
import * as Configuration from "./Configuration.ts"
import { Reported } from "./Errors.ts"
import { examine } from "./Examination.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Diagnosis from "./render/Diagnosis.ts"
import { print, printJson, Session } from "./Session.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const doctor = Command.make(
  "doctor",
  {},
  Effect.fnUntraced(function*() {
    const { globals, out } = yield* Session
    const config = yield* Effect.catchTag(Configuration.load, "ConfigNotFound", () => Effect.succeed(null))
    const findings = yield* examine(config)
    const file = config?.file ?? null
    const ok = errors(findings).length === 0
    yield* globals.json ? printJson({ file, ok, findings }) : print([
      ...Diagnosis.lines(findings, { palette: out.palette, room: out.columns() }),
      "",
      Diagnosis.summary(file, findings, out.palette)
    ])
    if (!ok) return yield* new Reported({ code: ExitCode.codes.failed })
  })
).pipe(
  Command.withDescription("What this machine can and cannot do, which services are concerned, and how to mend it.")
)
