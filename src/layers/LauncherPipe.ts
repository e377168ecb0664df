/**
 * Starts the supervisor's own helpers: small programs that are spoken to over their standard input and output.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Readline from "node:readline"
import { codeOf } from "../internal/errno.ts"
import { systemPath } from "../internal/systemPath.ts"

/**
 * A helper that runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pipe {
  readonly pid: number
  /** Writes a line; lost when the helper is gone, which `exited` tells. */
  readonly send: (line: string) => void
  readonly exited: Effect.Effect<void>
}

/**
 * A helper for as long as the scope lives. It should end when its standard input does: that is how it learns that the
 * supervisor was killed. What it says is heard line by line, or goes to a descriptor. Fails with the errno name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (options: {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly output: number | ((line: string) => void)
}): Effect.Effect<Pipe, string, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Pipe & { readonly child: ChildProcess.ChildProcess }, string>((resume) => {
      const { argv: [command, ...args], output } = options
      // A session of its own: what a terminal sends to the supervisor's group is not meant for it.
      const child = ChildProcess.spawn(command, args, {
        detached: true,
        cwd: "/",
        env: { PATH: systemPath, LC_ALL: "C" },
        stdio: ["pipe", typeof output === "number" ? output : "pipe", "ignore"]
      })
      const { pid, stdin, stdout } = child
      const exited = Deferred.unsafeMake<void>(FiberId.none)
      child.once("error", (error) => resume(Effect.fail(codeOf(error))))
      child.once("exit", () => Deferred.unsafeDone(exited, Exit.void))
      // A pipe breaks when the helper ends, and `exited` has told so already.
      stdin?.on("error", () => {})
      if (stdout !== null && typeof output === "function") {
        Readline.createInterface({ input: stdout }).on("line", output)
      }
      if (pid !== undefined) {
        resume(Effect.succeed({
          child,
          pid,
          send: (line) => void stdin?.write(`${line}\n`),
          exited: Deferred.await(exited)
        }))
      }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )
