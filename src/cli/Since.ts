/**
 * The options that `logs` and `events` have in common.
 *
 * @since 0.1.0
 */
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { sinceMillis } from "../control/Queries.ts"
import { WordsWrong } from "./Errors.ts"

/**
 * @since 0.1.0
 * @category options
 */
export const options = {
  follow: Options.boolean("follow").pipe(
    Options.withAlias("f"),
    Options.withDescription("goes on with what comes, until Ctrl-C")
  ),
  tail: Options.integer("tail").pipe(
    Options.withAlias("n"),
    Options.withPseudoName("N"),
    Options.withDescription("only the newest N"),
    Options.optional
  ),
  since: Options.text("since").pipe(
    Options.withPseudoName("WHEN"),
    Options.withDescription("only what is not older: 90s, 5m, 2h, 1d, or an ISO 8601 time"),
    Options.optional
  )
}

/**
 * The query for the API. What it would refuse is refused here, before anybody is asked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const query = Effect.fn("Since.query")(function*(given: {
  readonly follow: boolean
  readonly tail: Option.Option<number>
  readonly since: Option.Option<string>
}) {
  const { since, tail } = given
  if (Option.isSome(tail) && (tail.value < 0 || tail.value > 100_000)) {
    return yield* new WordsWrong({ message: `-n takes a number from 0 to 100000; found ${tail.value}` })
  }
  if (Option.isSome(since) && Option.isNone(sinceMillis(since.value, 0))) {
    return yield* new WordsWrong({
      message: `--since takes 90s, 5m, 2h, 1d or an ISO 8601 time; found "${since.value}"`
    })
  }
  return {
    follow: given.follow,
    ...(Option.isSome(tail) ? { tail: tail.value } : {}),
    ...(Option.isSome(since) ? { since: since.value } : {})
  }
})
