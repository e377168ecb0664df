/**
 * The command line, put together.
 *
 * @since 0.1.0
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import manifest from "../../package.json" with { type: "json" }
import * as Argv from "./Argv.ts"
import { restart, start, stop } from "./Change.ts"
import * as Completions from "./Completions.ts"
import * as Config from "./config.ts"
import { deploy } from "./deploy.ts"
import { describe } from "./describe.ts"
import { doctor } from "./doctor.ts"
import { Reported, WordsWrong } from "./Errors.ts"
import { events } from "./events.ts"
import * as ExitCode from "./ExitCode.ts"
import { health } from "./health.ts"
import * as Help from "./Help.ts"
import { init } from "./init.ts"
import { install } from "./install.ts"
import { logs } from "./logs.ts"
import { nginx } from "./nginx.ts"
import { conclude } from "./Outcome.ts"
import { ps } from "./ps.ts"
import { reload } from "./reload.ts"
import { rm } from "./rm.ts"
import { route } from "./route.ts"
import { serve } from "./serve.ts"
import { ofProcess, print, Session } from "./Session.ts"
import { spawn } from "./spawn.ts"
import * as Token from "./token.ts"
import { tree } from "./tree.ts"
import { upgrade } from "./upgrade.ts"
import { weight } from "./weight.ts"
import { why } from "./why.ts"

const globals = {
  config: Options.text("config").pipe(
    Options.withAlias("c"),
    Options.withPseudoName("FILE"),
    Options.withDescription("the file; else TENEMENT_CONFIG, ./tenement.toml, /etc/tenement/tenement.toml"),
    Options.optional
  ),
  socket: Options.text("socket").pipe(
    Options.withPseudoName("PATH"),
    Options.withDescription("the control socket; else TENEMENT_SOCKET, or what the file says"),
    Options.optional
  ),
  json: Options.boolean("json").pipe(Options.withDescription("prints results, and errors, as JSON")),
  noColor: Options.boolean("no-color").pipe(Options.withDescription("prints without colours, as NO_COLOR does"))
}

const commands = [
  serve,
  init,
  spawn,
  start,
  stop,
  restart,
  deploy,
  route,
  weight,
  rm,
  ps,
  tree,
  describe,
  why,
  logs,
  events,
  health,
  Config.config,
  doctor,
  reload,
  upgrade,
  Token.token,
  nginx,
  install
] as const

const groups: ReadonlyMap<unknown, ReadonlyArray<Argv.Node>> = new Map<unknown, ReadonlyArray<Argv.Node>>([
  [Config.config, Config.below],
  [Token.token, Token.below]
])

const root = Command.make("tenement", globals).pipe(
  Command.withDescription("Keeps many services alive on one machine."),
  Command.withSubcommands(commands),
  Command.provideSync(Session, ({ config, json, noColor, socket }) =>
    ofProcess({
      config: Option.getOrUndefined(config),
      socket: Option.getOrUndefined(socket),
      json,
      noColor
    }))
)

/**
 * All commands.
 *
 * @since 0.1.0
 * @category commands
 */
export const program: Argv.Node = {
  command: root,
  below: commands.map((command) => ({ command, below: groups.get(command) ?? [] }))
}

/**
 * Our own reading of the words has told what is wrong with them; @effect/cli's guesses would be others.
 *
 * @internal
 */
export const cliConfig = CliConfig.make({ isCaseSensitive: true, autoCorrectLimit: 0, showBuiltIns: false })

const perform = Effect.fnUntraced(function*(argv: ReadonlyArray<string>) {
  const directive = yield* Descriptor.parse(root.descriptor, ["tenement", ...argv], cliConfig)
  // Argv.read answers what is built in.
  if (directive._tag === "BuiltIn") return
  if (directive.leftover.length > 0) {
    return yield* new WordsWrong({ message: `there is no room for "${directive.leftover.join(" ")}" here` })
  }
  yield* root.transform(root.handler(directive.value), directive.value)
})

const logLevelOf = (name: string): Effect.Effect<LogLevel.LogLevel, WordsWrong> => {
  const level = LogLevel.allLevels.find((level) => level._tag.toLowerCase() === name.toLowerCase())
  return level === undefined
    ? Effect.fail(
      new WordsWrong({
        message: `--log-level takes ${LogLevel.allLevels.map((level) => level._tag.toLowerCase()).join(", ")}; ` +
          `found "${name}"`
      })
    )
    : Effect.succeed(level)
}

const answer = Effect.fnUntraced(function*(argv: ReadonlyArray<string>) {
  const request = yield* Argv.read(Argv.grammar(program), argv)
  switch (request._tag) {
    case "Help": {
      const { err, out } = yield* Session
      const { columns, palette, write } = request.asked ? out : err
      yield* write(`${Help.lines(program, request.path, { palette, room: columns() }).join("\n")}\n`)
      return request.asked ? undefined : yield* new Reported({ code: ExitCode.codes.wrong })
    }
    case "Version":
      return yield* print([`tenement ${manifest.version}`])
    case "Completions":
      return yield* Effect.flatMap(Completions.script(root, request.shell), print)
    case "Run": {
      const level = request.logLevel === null ? LogLevel.Info : yield* logLevelOf(request.logLevel)
      return yield* Logger.withMinimumLogLevel(perform(request.argv), level)
    }
  }
})

const noPrompt = Effect.dieMessage("no command asks questions")

/**
 * No option of ours reads a file or asks a question while the words are parsed; @effect/cli wants the means to. Node's
 * terminal would open standard input for it.
 *
 * @internal
 */
export const environment = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Layer.succeed(Terminal.Terminal, {
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    isTTY: Effect.succeed(false),
    readInput: noPrompt,
    readLine: noPrompt,
    display: () => noPrompt
  })
)

/**
 * Does what the words ask for. What goes wrong is told, and the exit code is left with the process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const main = (argv: ReadonlyArray<string>): Effect.Effect<void> =>
  answer(argv).pipe(
    Effect.scoped,
    Effect.provide(environment),
    Effect.mapError((error) => "message" in error ? error : new WordsWrong({ message: Help.plain(error.error) })),
    // An error in the words is reported before the options among them are parsed, so these two are looked for as text.
    conclude({
      config: undefined,
      socket: undefined,
      json: argv.includes("--json"),
      noColor: argv.includes("--no-color")
    })
  )
