/**
 * What instances print: kept byte for byte in rotated files, tagged with time, stream and incarnation.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { InstanceName } from "../domain/Names.ts"
import type { LogLine } from "../domain/Views.ts"
import type { LogsFailed } from "./Errors.ts"

/**
 * Which lines to read. `instances` empty means all; `sinceMs` and what follows are milliseconds since 1970; `grep` is
 * matched against the line's text; with `follow` the stream goes on with what comes.
 *
 * @since 0.1.0
 * @category models
 */
export interface LogQuery {
  readonly instances: ReadonlyArray<InstanceName>
  readonly tail: number | null
  readonly sinceMs: number | null
  readonly grep: RegExp | null
  readonly follow: boolean
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Logs extends Context.Tag("tenement/layers/Logs")<Logs, {
  /**
   * Opens an instance's log for as long as the scope lives: its FIFOs, its files, the pump between them.
   */
  readonly open: (instance: InstanceName) => Effect.Effect<InstanceLog, LogsFailed, Scope.Scope>
  /** Lines in the order of their time. Without `follow` the stream ends. */
  readonly read: (query: LogQuery) => Stream.Stream<LogLine, LogsFailed>
  /** The newest `count` lines of one instance, oldest first. */
  readonly last: (instance: InstanceName, count: number) => Effect.Effect<ReadonlyArray<LogLine>, LogsFailed>
  /** Deletes the logs of an instance that is gone. */
  readonly remove: (instance: InstanceName) => Effect.Effect<void, LogsFailed>
}>() {}

/**
 * The log of one instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceLog {
  /**
   * The descriptors for one run, to be handed to its process and closed with the scope right after the launch. Lines
   * read from now on carry this incarnation; what the run before still had to say is read first.
   */
  readonly begin: (
    incarnation: number
  ) => Effect.Effect<{ readonly stdout: number; readonly stderr: number }, LogsFailed, Scope.Scope>
}
