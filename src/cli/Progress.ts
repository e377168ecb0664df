/**
 * What a person sees while a command waits: one line on stderr, gone when the wait is over. A pipe sees nothing.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InstanceName } from "../domain/Names.ts"
import type { Description } from "../domain/Views.ts"
import * as Duration from "./render/Duration.ts"
import * as Palette from "./render/Palette.ts"
import { listed } from "./render/Text.ts"
import { Session } from "./Session.ts"

const clear = "\r\u001b[K"

/**
 * Makes room for something else: the line comes again by itself.
 *
 * @since 0.1.0
 * @category combinators
 */
export const erase: Effect.Effect<void, never, Session> = Effect.flatMap(
  Session,
  ({ err }) => err.columns() === null ? Effect.void : Effect.ignore(err.write(clear))
)

/**
 * How far one instance is: `starting, waiting for db`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stage = ({ instance, waitingFor }: Description): string => {
  const last = instance.lastExit === null ? "" : ` after ${instance.lastExit.reason}`
  switch (instance.state) {
    case "starting":
      return waitingFor.length > 0 ? `starting, waiting for ${listed(waitingFor)}` : "starting, not ready yet"
    case "backoff":
      return `waiting to be started again${last}`
    default:
      return instance.state
  }
}

/**
 * The line for all that is waited for; the first is told in full.
 *
 * @since 0.1.0
 * @category combinators
 */
export const line = (
  names: ReadonlyArray<InstanceName>,
  first: string,
  elapsedMs: number,
  columns: number
): string => {
  const others = names.length > 1 ? `, and ${names.length - 1} more` : ""
  const text = `${names[0] ?? ""}: ${first}${others} (${Duration.brief(elapsedMs / 1000)})`
  return [...Palette.harmless(text)].slice(0, Math.max(0, columns - 1)).join("")
}

/**
 * Shows how the instances named by `waiting` are while `wait` goes on. The set is the caller's: what is done leaves it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const during = <A, E, R, E2, R2>(
  wait: Effect.Effect<A, E, R>,
  waiting: ReadonlySet<InstanceName>,
  describe: (name: InstanceName) => Effect.Effect<Description, E2, R2>
): Effect.Effect<A, E, R | R2 | Session> =>
  Effect.flatMap(Session, ({ err, globals }) => {
    const columns = err.columns()
    if (columns === null || globals.json) return wait
    const show = Effect.fnUntraced(function*(begin: number) {
      const [name, ...others] = waiting
      if (name === undefined) return
      const description = yield* Effect.option(describe(name))
      // An instance that is being created is not known yet.
      const how = description._tag === "Some" ? stage(description.value) : "…"
      const now = yield* Clock.currentTimeMillis
      yield* err.write(clear + err.palette.faint(line([name, ...others], how, now - begin, columns)))
    })
    const showing = Clock.currentTimeMillis.pipe(
      Effect.tap(() => Effect.sleep("250 millis")),
      Effect.flatMap((begin) => Effect.forever(Effect.zipRight(show(begin), Effect.sleep("500 millis")))),
      Effect.ignore,
      Effect.zipRight(Effect.never),
      Effect.ensuring(Effect.ignore(err.write(clear)))
    )
    return Effect.raceFirst(wait, showing)
  })
