/**
 * `tenement token create`, `list` and `revoke`.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import type { Node } from "./Argv.ts"
import * as Configuration from "./Configuration.ts"
import * as Table from "./render/Table.ts"
import { print, printJson, Session } from "./Session.ts"
import * as Targets from "./Targets.ts"

const name = Args.text({ name: "NAME" }).pipe(
  Args.withDescription("what the token is called, so that it can be revoked")
)

/** Tokens are kept in a file of the supervisor's, which need not run for this. */
const tokens = Effect.gen(function*() {
  const { settings } = yield* Configuration.load
  const Tokens = yield* Effect.promise(() => import("../control/Tokens.ts"))
  return { dataDir: settings.dataDir, Tokens, nameOf: Targets.checked(Tokens.TokenName) }
})

const create = Command.make(
  "create",
  { name },
  Effect.fnUntraced(function*({ name }) {
    const { err, globals, out } = yield* Session
    const { dataDir, nameOf, Tokens } = yield* tokens
    const token = yield* Tokens.create(dataDir, yield* nameOf(name))
    if (globals.json) return yield* printJson({ name, token })
    if (out.columns() !== null) yield* err.write("This is the only time that it is shown:\n")
    yield* print([token])
  })
).pipe(Command.withDescription("Makes a token for the API over TCP, and prints it, once."))

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function*() {
    const { globals, out } = yield* Session
    const { dataDir, Tokens } = yield* tokens
    const known = (yield* Tokens.list(dataDir)).map(({ createdAt, name }) => ({ name, createdAt }))
    if (globals.json) return yield* printJson(known)
    yield* print(Table.lines(
      [
        { title: "NAME", cell: (it) => it.name, spare: 0, shrinksTo: 8 },
        { title: "CREATED", cell: (it) => it.createdAt, spare: 1 }
      ],
      known,
      { room: out.columns(), palette: out.palette }
    ))
  })
).pipe(Command.withDescription("Lists the names of the tokens there are."))

const revoke = Command.make(
  "revoke",
  { name },
  Effect.fnUntraced(function*({ name }) {
    const { globals } = yield* Session
    const { dataDir, nameOf, Tokens } = yield* tokens
    yield* Tokens.revoke(dataDir, yield* nameOf(name))
    yield* globals.json ? printJson({ revoked: name }) : print([`${name} is revoked`])
  })
).pipe(Command.withDescription("Takes a token back; requests with it are refused at once."))

/**
 * @since 0.1.0
 * @category commands
 */
export const token = Command.make("token").pipe(
  Command.withDescription("Tokens for the API over TCP."),
  Command.withSubcommands([create, list, revoke])
)

/**
 * @since 0.1.0
 * @category commands
 */
export const below: ReadonlyArray<Node> = [{ command: create }, { command: list }, { command: revoke }]
