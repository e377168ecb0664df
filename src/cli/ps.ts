/**
 * `tenement ps`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { WordsWrong } from "./Errors.ts"
import { list } from "./Listing.ts"
import * as Instances from "./render/Instances.ts"
import { print, printJson, Session } from "./Session.ts"

const table = Effect.gen(function*() {
  const { globals, out } = yield* Session
  const instances = yield* list
  if (globals.json) return { instances, lines: [] }
  const now = yield* Clock.currentTimeMillis
  return { instances, lines: Instances.lines(instances, { now, room: out.columns(), palette: out.palette }) }
})

const period = "2 seconds"

/** From the top of the screen, line by line over what was there, and nothing below: no flicker, nothing left over. */
const redrawn = (lines: ReadonlyArray<string>, rows: number): string =>
  `\u001b[H${lines.slice(0, Math.max(1, rows - 1)).map((line) => `${line}\u001b[K\n`).join("")}\u001b[J`

const watching = Effect.gen(function*() {
  const { globals, out } = yield* Session
  if (globals.json) {
    return yield* table.pipe(
      Effect.flatMap(({ instances }) => out.write(`${JSON.stringify(instances)}\n`)),
      Effect.zipRight(Effect.sleep(period)),
      Effect.forever
    )
  }
  if (out.columns() === null) {
    return yield* new WordsWrong({
      message: "--watch needs a terminal, or --json; `tenement events -f` tells a program what changes"
    })
  }
  // A screen of its own, as a pager has: what was there before comes back.
  yield* Effect.acquireRelease(
    out.write("\u001b[?1049h\u001b[?25l"),
    () => Effect.ignore(out.write("\u001b[?25h\u001b[?1049l"))
  )
  yield* table.pipe(
    Effect.flatMap(({ lines }) => out.write(redrawn(lines, out.rows()))),
    Effect.zipRight(Effect.sleep(period)),
    Effect.forever
  )
})

/**
 * @since 0.1.0
 * @category commands
 */
export const ps = Command.make(
  "ps",
  {
    watch: Options.boolean("watch").pipe(
      Options.withAlias("w"),
      Options.withDescription("shows it anew every 2 seconds, until Ctrl-C")
    )
  },
  Effect.fnUntraced(function*({ watch }) {
    if (watch) return yield* watching
    const { globals } = yield* Session
    const { instances, lines } = yield* table
    yield* globals.json ? printJson(instances) : print(lines)
  })
).pipe(Command.withDescription("Lists all instances: state, health, restarts, memory, CPU, socket."))
