/**
 * A process: what it takes to start one, and what there is once it runs.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { ExitStatus } from "../domain/Exit.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Cgroup } from "./Cgroup.ts"

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
  /** A socket that listens, for the program to have as its descriptor 3; it stays the caller's. */
  readonly listener?: number | null
  /** Where isolation puts processes in front of the program: how to see past them. */
  readonly wrapper?: Wrapper
  /** Joined before the first instruction of the command; without one, the tree of the process is its session. */
  readonly cgroup?: Cgroup | null
  /** Becomes the command if it still can, and is in `cgroup` already. */
  readonly prepared?: Prepared | null
  /** Done before the first instruction of the command, which is never executed if the supervisor dies meanwhile. */
  readonly announce?: (process: Identity) => Effect.Effect<void>
}

/**
 * A process that waits to become the command of a launch: only the launcher that made it knows how (`Launcher.prepare`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Prepared {
  /** Ends it, unless it has become a command; does nothing when it is gone. */
  readonly end: Effect.Effect<void>
}

/**
 * Processes between the one that is started and the program.
 *
 * @since 0.1.0
 * @category models
 */
export interface Wrapper {
  /** How many generations below the process that is started the program is: each the first child of the one before. */
  readonly depth: number
  /** A file that says when the program has begun, and in the end how it ended: `code N` or `signal N` in its last line. */
  readonly report: string
  /** A command that sends the program a signal, whose number is its last word; without one, the program's parent passes it on. */
  readonly signal?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * A process, told from a later one of the same pid by the time that it was started at (`/proc/PID/stat`, field 22).
 *
 * @since 0.1.0
 * @category models
 */
export interface Identity {
  readonly pid: number
  readonly startTime: string
}

/**
 * What another supervisor started: what it takes to take it over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Adoption extends Identity {
  readonly wrapper: Wrapper | null
  readonly cgroup: Cgroup | null
  /** A folder that is named in the environment of everything that the process forked. */
  readonly instanceDir: string
}

/**
 * A process that did not die when it was killed: in an uninterruptible wait (state `D`), or somebody else's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Survivor {
  readonly pid: number
  /** As `/proc/PID/stat` has it. */
  readonly state: string
  /** Whether the supervisor may signal it at all. */
  readonly isPermitted: boolean
}

/**
 * A process that was started, in a session and process group of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Process {
  readonly pid: number
  /** The program itself: another process than `pid` where isolation put some in front. Null before it has begun. */
  readonly programPid: Effect.Effect<number | null>
  /** Start time in clock ticks since boot (`/proc/PID/stat`, field 22): with the pid, the identity of the process. */
  readonly startTime: string
  /** Waits for the end of the main process. Can be awaited by many, and afterwards. */
  readonly exited: Effect.Effect<ExitStatus>
  /** Sends a signal to the program alone; does nothing when it is gone. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Whether anything that the main process forked is alive. */
  readonly hasStragglers: Effect.Effect<boolean>
  /** Sends a signal to everything that the main process forked; for after its end. */
  readonly signalTree: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until nothing that the main process forked is left; for after its end. */
  readonly treeGone: Effect.Effect<void>
  /** SIGKILL to the whole tree; done when nothing of it is left. */
  readonly killTree: Effect.Effect<void>
  /** What is alive of the tree, for a person to read when a kill takes long. */
  readonly survivors: Effect.Effect<ReadonlyArray<Survivor>>
}
