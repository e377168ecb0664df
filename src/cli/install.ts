/**
 * `tenement install`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Configuration from "./Configuration.ts"
import { Refused } from "./Errors.ts"
import { unit } from "./render/Unit.ts"
import { print, printJson, Session } from "./Session.ts"

/** Where a user's own files of configuration are. */
const home = (): string => {
  const { XDG_CONFIG_HOME: named } = process.env
  return named !== undefined && Path.isAbsolute(named) ? named : Path.join(Os.homedir(), ".config")
}

const present = (file: string): string | null => {
  try {
    return Fs.readFileSync(file, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null
    throw error
  }
}

/** Writes it, unless it is there already; what a person made of it is not lost. */
const put = (file: string, text: string): Effect.Effect<boolean, Refused> =>
  Effect.try({
    try: () => {
      const before = present(file)
      if (before !== null) return before
      Fs.mkdirSync(Path.dirname(file), { recursive: true })
      Fs.writeFileSync(file, text, { flag: "wx", mode: 0o644 })
      return null
    },
    catch: (error) =>
      new Refused({ message: `${file} could not be written: ${(error as NodeJS.ErrnoException).message}` })
  }).pipe(
    Effect.filterOrFail(
      (before) => before === null || before === text,
      () =>
        new Refused({
          message: `${file} is there already, differs, and was left as it is; \`tenement install | diff ${file} -\` ` +
            "shows how, and after it is removed it can be written anew"
        })
    ),
    Effect.map((before) => before === null)
  )

const next = (file: string, config: string, system: boolean): ReadonlyArray<string> => {
  const systemctl = system ? "systemctl" : "systemctl --user"
  return [
    `${file} is written. What comes next:`,
    ...(Fs.existsSync(config) ? [] : [`  tenement init --config ${config}`]),
    `  ${systemctl} daemon-reload`,
    `  ${systemctl} enable --now tenement`,
    ...(system ? [] : ["  loginctl enable-linger      # so that it runs while you are not logged in"])
  ]
}

/**
 * @since 0.1.0
 * @category commands
 */
export const install = Command.make(
  "install",
  {
    write: Options.boolean("write").pipe(
      Options.withDescription("puts it where systemd looks: for root with the units of the machine, else with your own")
    )
  },
  Effect.fnUntraced(function*({ write }) {
    const { globals } = yield* Session
    const { socket } = yield* Configuration.choice
    const system = process.geteuid?.() === 0
    const config = Path.resolve(
      yield* Effect.catchTag(
        Configuration.whereabouts,
        "ConfigNotFound",
        // It may be written later.
        () => Effect.succeed(Path.join(system ? "/etc" : home(), "tenement/tenement.toml"))
      )
    )
    const text = unit({
      node: process.execPath,
      program: process.argv[1] ?? "tenement",
      options: ["--config", config, ...(socket === undefined ? [] : ["--socket", Path.resolve(socket)])],
      system
    })
    const file = Path.join(system ? "/etc/systemd/system" : Path.join(home(), "systemd/user"), "tenement.service")
    const written = write && (yield* put(file, text))
    yield* globals.json
      ? printJson({ file, written, unit: text })
      : print(write ? next(file, config, system) : [text.trimEnd()])
  })
).pipe(Command.withDescription("Prints a systemd unit that runs `tenement serve` on this machine."))
