/** Waiting for what happens outside: looks again and again, and says what it saw last when it gives up. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { AssertionError } from "node:assert"
import { inspect } from "node:util"

/** A machine that is emulated, and so a slow one, asks for more. */
const patience = Duration.seconds(Number(process.env["TENEMENT_TEST_PATIENCE"] ?? 30))

const pause = Math.round(Duration.toMillis(patience) / 2000)

/** The first look that `holds`. The deadline is generous: it ends a test that failed, and measures nothing. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  holds: (seen: A) => boolean,
  within: Duration.DurationInput = patience
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    let last: A | undefined
    const seen = yield* look.pipe(
      Effect.tap((seen) => Effect.sync(() => last = seen)),
      Effect.flatMap((seen) =>
        holds(seen) ? Effect.succeed(Option.some(seen)) : Effect.delay(Effect.succeedNone, pause)
      ),
      Effect.repeat({ until: Option.isSome }),
      Effect.timeoutTo({ duration: within, onSuccess: (found) => found, onTimeout: Option.none<A> })
    )
    if (Option.isSome(seen)) return seen.value
    const shown = inspect(last, { depth: 4, maxArrayLength: 60, breakLength: 140 })
    return yield* Effect.die(
      new AssertionError({ message: `${what}: not within ${Duration.format(within)}; last seen: ${shown}` })
    )
  })
