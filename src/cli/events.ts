/**
 * `tenement events`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { connect } from "./Connect.ts"
import * as Following from "./Following.ts"
import * as Event from "./render/Event.ts"
import { Session } from "./Session.ts"
import * as Since from "./Since.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const events = Command.make(
  "events",
  Since.options,
  Effect.fnUntraced(function*(given) {
    const query = yield* Since.query(given)
    const { globals, out } = yield* Session
    const client = yield* connect
    const options = { terminal: out.columns() !== null, palette: out.palette }
    const happened = query.follow ? Following.events(client, query) : client.events(query)
    yield* happened.pipe(
      Stream.runForEachChunk((events) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          out.write(
            [...events].map((event) =>
              `${globals.json ? JSON.stringify(event) : Event.line(event, { ...options, now })}\n`
            ).join("")
          ))
      )
    )
  })
).pipe(Command.withDescription("Shows everything that happened, and with -f what happens."))
