/**
 * `tenement health`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import type { ProbeReport } from "../domain/Views.ts"
import { connect } from "./Connect.ts"
import { Reported } from "./Errors.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Palette from "./render/Palette.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"
import * as Words from "./Words.ts"

const told = (report: ProbeReport, palette: Palette.Palette): string => {
  const verdict = report.healthy ? palette.good("healthy") : palette.bad("unhealthy")
  return `${report.instance} ${verdict} ${Palette.harmless(report.detail)} (${Math.round(report.milliseconds)} ms)`
}

/**
 * @since 0.1.0
 * @category commands
 */
export const health = Command.make(
  "health",
  { words: Words.some },
  Effect.fnUntraced(function*({ words }) {
    const { globals, out } = yield* Session
    const { instances } = yield* connect
    const { names, single } = yield* Targets.instances(words, instances.list({}))
    const reports = yield* Effect.forEach(names, (name) => instances.probe({ path: { name } }), { concurrency: 8 })
    yield* globals.json
      ? printJson(single ? reports[0] : reports)
      : print(reports.map((report) => told(report, out.palette)))
    if (reports.some((report) => !report.healthy)) return yield* new Reported({ code: ExitCode.codes.failed })
  })
).pipe(Command.withDescription("Probes instances now; the exit code is 1 if one is not healthy."))
