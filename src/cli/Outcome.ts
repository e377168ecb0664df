/**
 * How a call of the program ends: what went wrong is told, and the shell gets its exit code.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as ExitCode from "./ExitCode.ts"
import { complain, type Globals, ofProcess, Session } from "./Session.ts"

interface Told {
  readonly _tag: string
  readonly message: string
}

const settle = (exit: Exit.Exit<unknown, Told>): Effect.Effect<number, never, Session> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(ExitCode.codes.done)
  const failure = Cause.failureOrCause(exit.cause)
  if (Either.isRight(failure)) {
    return Cause.isInterruptedOnly(failure.right)
      ? Effect.succeed(Number(process.exitCode ?? ExitCode.codes.interrupted))
      : Effect.as(
        complain({ _tag: "Defect", message: `this is a bug of tenement's: ${Cause.pretty(failure.right)}` }),
        ExitCode.codes.failed
      )
  }
  const error = failure.left
  const silent = error._tag === "Reported" || error._tag === "OutputClosed"
  return Effect.as(silent ? Effect.void : complain(error), ExitCode.of(error))
}

/**
 * Runs a call to its end and leaves the exit code with the process, since an interrupted fiber has no result. A command
 * for which Ctrl-C is a good end sets the code before.
 *
 * @since 0.1.0
 * @category combinators
 */
export const conclude =
  (globals: Globals) => <A, E extends Told>(call: Effect.Effect<A, E, Session>): Effect.Effect<void> =>
    Effect.uninterruptibleMask((restore) =>
      restore(call).pipe(
        Effect.exit,
        Effect.flatMap(settle),
        Effect.map((code) => {
          process.exitCode = code
        })
      )
    ).pipe(Effect.provideService(Session, ofProcess(globals)))
