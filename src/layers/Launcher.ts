/**
 * Starts processes. The only module that does.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ExitStatus } from "../domain/Exit.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { LaunchFailed } from "./Errors.ts"

/**
 * What to run, with every template replaced. `stdout` and `stderr` are file descriptors that the process gets; they
 * stay the caller's.
 *
 * @since 0.1.0
 * @category models
 */
export interface LaunchSpec {
  readonly instance: InstanceName
  readonly incarnation: number
  /** Never empty. */
  readonly argv: ReadonlyArray<string>
  readonly cwd: string
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly user: string | null
  readonly group: string | null
  readonly stdout: number
  readonly stderr: number
}

/**
 * A process that was started, in a session and process group of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Process {
  readonly pid: number
  /** Start time in clock ticks since boot (`/proc/PID/stat`, field 22): with the pid, the identity of the process. */
  readonly startTime: string
  /** Waits for the end of the main process. Can be awaited by many, and afterwards. */
  readonly exited: Effect.Effect<ExitStatus>
  /** Sends a signal to the main process alone; does nothing when it is gone. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Whether anything that the main process forked is alive. */
  readonly hasStragglers: Effect.Effect<boolean>
  /** SIGKILL to the whole tree; done when nothing of it is left. */
  readonly killTree: Effect.Effect<void>
}

/**
 * Starts processes. `launch` is quick and cannot be interrupted half-way: either the caller's scope owns a process
 * whose tree is killed when the scope closes, or there is none.
 *
 * @since 0.1.0
 * @category tags
 */
export class Launcher extends Context.Tag("tenement/layers/Launcher")<Launcher, {
  readonly launch: (spec: LaunchSpec) => Effect.Effect<Process, LaunchFailed, Scope.Scope>
}>() {}
