/**
 * The machine, looked at for a command.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { TenementConfig } from "../domain/Config.ts"
import * as Diagnosis from "../domain/Diagnosis.ts"
import * as Render from "./render/Diagnosis.ts"
import { Session } from "./Session.ts"

/**
 * What this machine can do for a configuration, or for any.
 *
 * @since 0.1.0
 * @category constructors
 */
export const examine = Effect.fnUntraced(function*(config: TenementConfig | null) {
  const Facts = yield* Effect.promise(() => import("../layers/Facts.ts"))
  const host = yield* Facts.ofHost(config?.settings.cgroupRoot ?? null)
  return Diagnosis.findings(host, config === null ? null : { config, named: yield* Facts.ofConfig(config) })
})

/**
 * Tells what keeps services of a file from being started on this machine. The file is not wrong for it: it may be meant
 * for another machine.
 *
 * @since 0.1.0
 * @category combinators
 */
export const warn = Effect.fnUntraced(function*(config: TenementConfig) {
  const { err, globals } = yield* Session
  const findings = Diagnosis.concerns(yield* examine(config))
  const lines = Render.warnings(config, findings)
  if (!globals.json && lines.length > 0) yield* Effect.ignore(err.write(`${lines.join("\n")}\n`))
  return findings
})
