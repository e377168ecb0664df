/**
 * `tenement tree`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { connect } from "./Connect.ts"
import * as Tree from "./render/Tree.ts"
import { print, printJson, Session } from "./Session.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const tree = Command.make(
  "tree",
  {},
  Effect.fnUntraced(function*() {
    const { globals, out } = yield* Session
    const client = yield* connect
    const root = yield* client.tree.tree({})
    yield* globals.json ? printJson(root) : print(Tree.lines(root, out.palette))
  })
).pipe(Command.withDescription("Shows the supervision tree, with the state of each actor."))
