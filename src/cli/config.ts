/**
 * `tenement config check`, `show` and `schema`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import type { TenementConfig } from "../domain/Config.ts"
import * as Explain from "../domain/Explain.ts"
import type { Node } from "./Argv.ts"
import * as Configuration from "./Configuration.ts"
import { warn } from "./Examination.ts"
import { print, printJson, Session } from "./Session.ts"

const summary = ({ groups, services }: TenementConfig) => ({
  services: services.size,
  groups: groups.size,
  instances: [...services.values()].reduce((sum, service) => sum + service.instances.length, 0)
})

const check = Command.make(
  "check",
  {},
  Effect.fnUntraced(function*() {
    const { globals, out } = yield* Session
    const config = yield* Configuration.load
    const counts = summary(config)
    const warnings = yield* warn(config)
    if (globals.json) return yield* printJson({ file: config.file, ...counts, warnings })
    yield* print([
      `${config.file}: ${out.palette.good("ok")}, ${Explain.count(counts.services, "service")}, ${
        Explain.count(counts.groups, "group")
      }, ${Explain.count(counts.instances, "instance")} to start`
    ])
  })
).pipe(Command.withDescription("Checks the file without starting anything, and tells all that is wrong with it."))

const show = Command.make(
  "show",
  {},
  Effect.fnUntraced(function*() {
    const { globals } = yield* Session
    const config = yield* Configuration.load
    const Show = yield* Effect.promise(() => import("../config/Show.ts"))
    yield* globals.json
      ? printJson({ file: config.file, ...Show.toObject(config) })
      : print([Show.toToml(config).trimEnd()])
  })
).pipe(Command.withDescription("Prints the file with every default filled in and every path absolute."))

const schema = Command.make(
  "schema",
  {},
  Effect.fnUntraced(function*() {
    const { jsonSchema } = yield* Effect.promise(() => import("../config/JsonSchema.ts"))
    yield* print([JSON.stringify(jsonSchema(), null, 2)])
  })
).pipe(Command.withDescription("Prints the JSON Schema of the file, for editors."))

/**
 * @since 0.1.0
 * @category commands
 */
export const config = Command.make("config").pipe(
  Command.withDescription("Checks and shows the file; needs no supervisor."),
  Command.withSubcommands([check, show, schema])
)

/**
 * @since 0.1.0
 * @category commands
 */
export const below: ReadonlyArray<Node> = [{ command: check }, { command: show }, { command: schema }]
