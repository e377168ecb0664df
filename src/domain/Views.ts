/**
 * What is told to the outside: the objects of the API, of `--json`, and of the event stream. They are stable and
 * documented; the state behind them is not.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Cause } from "./Cause.ts"
import { ExitReason } from "./Exit.ts"
import { GroupName, InstanceId, InstanceName, ServiceName } from "./Names.ts"

/**
 * The states an instance is seen in.
 *
 * @since 0.1.0
 * @category models
 */
export const StateLabel = Schema.Literal(
  "starting",
  "running",
  "healthy",
  "degraded",
  "unhealthy",
  "backoff",
  "stopping",
  "stopped",
  "sleeping",
  "completed",
  "failed"
).annotations({ identifier: "State" })
/** @since 0.1.0 */
export type StateLabel = typeof StateLabel.Type

/**
 * How the last run ended. `at` is ISO 8601.
 *
 * @since 0.1.0
 * @category models
 */
export const LastExit = Schema.Struct({
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  reason: ExitReason,
  at: Schema.String
}).annotations({ identifier: "LastExit" })
/** @since 0.1.0 */
export type LastExit = typeof LastExit.Type

/**
 * One instance, as `tenement ps --json` prints it.
 *
 * @since 0.1.0
 * @category models
 */
export const InstanceView = Schema.Struct({
  name: InstanceName,
  service: ServiceName,
  id: InstanceId,
  state: StateLabel,
  /** `null` where the service has no health check or nothing is running. */
  health: Schema.NullOr(Schema.Literal("healthy", "degraded", "unhealthy")),
  pid: Schema.NullOr(Schema.Int),
  startedAt: Schema.NullOr(Schema.String),
  uptimeSeconds: Schema.NullOr(Schema.Number),
  /** Automatic restarts so far. */
  restarts: Schema.Int,
  memoryMb: Schema.NullOr(Schema.Number),
  cpuPercent: Schema.NullOr(Schema.Number),
  socket: Schema.NullOr(Schema.String),
  port: Schema.NullOr(Schema.Int),
  weight: Schema.Int,
  lastExit: Schema.NullOr(LastExit),
  nextStartAt: Schema.NullOr(Schema.String)
}).annotations({ identifier: "Instance" })
/** @since 0.1.0 */
export type InstanceView = typeof InstanceView.Type

/**
 * One step of an instance from a state to another. `seq` numbers all events of one supervisor without a gap.
 *
 * @since 0.1.0
 * @category models
 */
export const Transition = Schema.TaggedStruct("Transition", {
  seq: Schema.Int,
  at: Schema.String,
  instance: InstanceName,
  /** Which run of the instance, counted from 1. */
  incarnation: Schema.Int,
  from: StateLabel,
  to: StateLabel,
  cause: Cause
}).annotations({ identifier: "Transition" })
/** @since 0.1.0 */
export type Transition = typeof Transition.Type

/**
 * Anything worth telling that is not a transition of one instance.
 *
 * @since 0.1.0
 * @category models
 */
export const Notice = Schema.TaggedStruct("Notice", {
  seq: Schema.Int,
  at: Schema.String,
  level: Schema.Literal("info", "warning", "error"),
  /** An instance, a group, or `supervisor`. */
  subject: Schema.String,
  message: Schema.String
}).annotations({ identifier: "Notice" })
/** @since 0.1.0 */
export type Notice = typeof Notice.Type

/**
 * An entry of the event log.
 *
 * @since 0.1.0
 * @category models
 */
export const EventRecord = Schema.Union(Transition, Notice).annotations({ identifier: "Event" })
/** @since 0.1.0 */
export type EventRecord = typeof EventRecord.Type

/**
 * One line that an instance printed. `seq` numbers the lines of an instance; of a line that has not ended it is the number
 * of the line before. `truncated` marks a line longer than tenement keeps in one piece, `unfinished` one whose newline was
 * not printed. What has `lost` was not printed: it is a remark of tenement's own, which stands for so many lines up to `seq`
 * that are gone. `base64` has the bytes of a text that is no UTF-8.
 *
 * @since 0.1.0
 * @category models
 */
export const LogLine = Schema.Struct({
  seq: Schema.Int,
  at: Schema.String,
  instance: InstanceName,
  stream: Schema.Literal("stdout", "stderr"),
  incarnation: Schema.Int,
  text: Schema.String,
  truncated: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  unfinished: Schema.optional(Schema.Boolean),
  lost: Schema.optional(Schema.Int),
  base64: Schema.optional(Schema.String)
}).annotations({ identifier: "LogLine" })
/** @since 0.1.0 */
export type LogLine = typeof LogLine.Type

/**
 * All that is known of one instance: what `describe` and `why` show.
 *
 * @since 0.1.0
 * @category models
 */
export const Description = Schema.Struct({
  instance: InstanceView,
  /** What was asked of it last: to run, or not to. */
  wanted: Schema.Literal("running", "stopped"),
  incarnation: Schema.Int,
  group: Schema.NullOr(GroupName),
  command: Schema.Array(Schema.String),
  cwd: Schema.String,
  /** Names of the environment's variables; values of `env_file` are never shown. */
  environment: Schema.Array(Schema.String),
  dependsOn: Schema.Array(ServiceName),
  /** Services that are waited for right now. */
  waitingFor: Schema.Array(ServiceName),
  restart: Schema.Struct({
    policy: Schema.String,
    /** Restarts in a row, which set the next delay. */
    attempt: Schema.Int,
    /** Automatic restarts within the window just now, and how many it bears (`null`: any number). */
    inWindow: Schema.Int,
    maxRestarts: Schema.NullOr(Schema.Int),
    windowSeconds: Schema.Number
  }),
  /** The newest transitions, oldest first. */
  history: Schema.Array(Transition),
  /** The last lines it printed, oldest first. */
  lastLines: Schema.Array(LogLine),
  /** The last lines of the run that failed last, if the history tells of one. */
  lastWords: Schema.Array(LogLine)
}).annotations({ identifier: "Description" })
/** @since 0.1.0 */
export type Description = typeof Description.Type

/**
 * A node of the supervision tree.
 *
 * @since 0.1.0
 * @category models
 */
export interface TreeNode {
  readonly name: string
  readonly kind: "supervisor" | "actor"
  /** A supervisor's strategy, an instance's state label, `running` for the system's own actors. */
  readonly state: string
  readonly detail: string
  readonly children: ReadonlyArray<TreeNode>
}
/** @since 0.1.0 */
export const TreeNode: Schema.Schema<TreeNode> = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literal("supervisor", "actor"),
  state: Schema.String,
  detail: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Schema<TreeNode> => TreeNode))
}).annotations({ identifier: "TreeNode" })

/**
 * What the outcome of `start`, `stop`, `restart` or `spawn` was.
 *
 * @since 0.1.0
 * @category models
 */
export const Outcome = Schema.Struct({
  instance: InstanceView,
  /** False when there was nothing to do. */
  changed: Schema.Boolean,
  /** True when the stop signal was not enough and the tree was killed. */
  forced: Schema.Boolean
}).annotations({ identifier: "Outcome" })
/** @since 0.1.0 */
export type Outcome = typeof Outcome.Type

/**
 * What a reload does, or would do.
 *
 * @since 0.1.0
 * @category models
 */
export const ReloadPlan = Schema.Struct({
  file: Schema.String,
  changes: Schema.Array(
    Schema.Struct({
      subject: Schema.String,
      /** `update`: the new values hold from now on, nothing is restarted. */
      action: Schema.Literal("start", "stop", "restart", "update"),
      /** The keys that differ, old and new value as the file would show them; secrets by name only. */
      keys: Schema.Array(Schema.Struct({ key: Schema.String, from: Schema.String, to: Schema.String }))
    })
  ),
  applied: Schema.Boolean,
  /** What was to run by the new file and does not, in sentences. */
  problems: Schema.Array(Schema.String)
}).annotations({ identifier: "ReloadPlan" })
/** @since 0.1.0 */
export type ReloadPlan = typeof ReloadPlan.Type

/**
 * The answer of one probe.
 *
 * @since 0.1.0
 * @category models
 */
export const ProbeReport = Schema.Struct({
  instance: InstanceName,
  healthy: Schema.Boolean,
  detail: Schema.String,
  milliseconds: Schema.Number
}).annotations({ identifier: "ProbeReport" })
/** @since 0.1.0 */
export type ProbeReport = typeof ProbeReport.Type
