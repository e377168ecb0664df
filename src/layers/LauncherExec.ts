/**
 * Runs a program of the system to its end, for the few things that Node has no call for.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { systemPath } from "../internal/systemPath.ts"
import { ToolFailed } from "./Errors.ts"

const deadlineMs = 10_000

/**
 * What the program printed. It is found where the system's programs are, speaks plain C locale, and is killed after ten
 * seconds or when the effect is interrupted. `env` is all it gets besides.
 *
 * @since 0.1.0
 * @category constructors
 */
export const execWith = Effect.fn("LauncherExec.execWith")(
  (
    env: Readonly<Record<string, string>>,
    program: string,
    ...args: ReadonlyArray<string>
  ): Effect.Effect<string, ToolFailed> =>
    Effect.async((resume, signal) => {
      execFile(
        program,
        args,
        { env: { PATH: systemPath, LC_ALL: "C", ...env }, killSignal: "SIGKILL", signal, timeout: deadlineMs },
        (error, stdout, stderr) => {
          if (error === null) return resume(Effect.succeed(stdout))
          const code = error.killed === true ? "ETIMEDOUT" : String(error.code ?? error.signal)
          resume(Effect.fail(new ToolFailed({ program, code, detail: stderr.trim() || error.message })))
        }
      )
    })
)

/**
 * The same with nothing more in its environment.
 *
 * @since 0.1.0
 * @category constructors
 */
export const exec = (program: string, ...args: ReadonlyArray<string>): Effect.Effect<string, ToolFailed> =>
  execWith({}, program, ...args)
