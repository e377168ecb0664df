/**
 * The names of what an instance's actor does beside taking messages.
 *
 * @since 0.1.0
 */
import type { Timer } from "../domain/InstanceEvent.ts"

type RunTask =
  | "launch"
  | "exit"
  | "readiness"
  | "probes"
  | "idle"
  | "tree"
  | "drain"
  | "answers"
  | Exclude<Timer, "backoff">

/**
 * The tasks of an instance's actor. Those that are about a run are one of a kind for each.
 *
 * @since 0.1.0
 * @category models
 */
export type Task = "dependencies" | "backoff" | "standby" | `${RunTask} ${number}`

/**
 * The task of that kind for a run; between runs there is one backoff.
 *
 * @since 0.1.0
 * @category constructors
 */
export const taskOf = (kind: RunTask | Timer, incarnation: number): Task =>
  kind === "backoff" ? kind : `${kind} ${incarnation}`

const runTasks: ReadonlyArray<RunTask> = [
  "launch",
  "exit",
  "readiness",
  "probes",
  "idle",
  "tree",
  "drain",
  "answers",
  "startup",
  "stop",
  "stable"
]

/**
 * All that there can be for a run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const tasksOf = (incarnation: number): ReadonlyArray<Task> => runTasks.map((kind) => taskOf(kind, incarnation))
