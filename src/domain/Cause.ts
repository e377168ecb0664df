/**
 * Why an instance went from one state to another. Every transition has exactly one cause; `why` strings them together.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExitReason, ExitStatus } from "./Exit.ts"
import { GroupName, InstanceName, ServiceName } from "./Names.ts"

/**
 * What a person can ask of an instance.
 *
 * @since 0.1.0
 * @category models
 */
export const Verb = Schema.Literal("spawn", "start", "stop", "restart", "rm", "deploy", "route").annotations({
  identifier: "Verb"
})
/** @since 0.1.0 */
export type Verb = typeof Verb.Type

/**
 * One cause. Durations are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export const Cause = Schema.Union(
  /** The supervisor came up and the file lists the instance. */
  Schema.TaggedStruct("Boot", {}),
  /** A person asked for it. */
  Schema.TaggedStruct("Person", { verb: Verb }),
  /** The file changed; `keys` are the settings that differ. */
  Schema.TaggedStruct("Reload", { keys: Schema.Array(Schema.String) }),
  /** The supervisor is going down. */
  Schema.TaggedStruct("Shutdown", {}),
  /** Services it depends on are not ready. */
  Schema.TaggedStruct("WaitingFor", { services: Schema.Array(ServiceName) }),
  /** All services it depends on are ready. */
  Schema.TaggedStruct("DependenciesReady", {}),
  /** It became ready; `by` says what told so, for instance `GET /health: 200`. */
  Schema.TaggedStruct("Ready", { by: Schema.String, afterMs: Schema.Number }),
  /** A probe failed, `inARow` times of the `limit` that makes it unhealthy. */
  Schema.TaggedStruct("ProbeFailed", { detail: Schema.String, inARow: Schema.Int, limit: Schema.Int }),
  /** A probe passed again. */
  Schema.TaggedStruct("ProbePassed", { detail: Schema.String }),
  /** No request, and no connection, for so long. */
  Schema.TaggedStruct("Idle", { afterMs: Schema.Number }),
  /** It slept, and a request came. */
  Schema.TaggedStruct("Request", {}),
  /** It slept, and an instance that depends on it is to start. */
  Schema.TaggedStruct("Needed", { by: InstanceName }),
  /** The process ended. */
  Schema.TaggedStruct("Exited", { status: ExitStatus, reason: ExitReason, forced: Schema.Boolean }),
  /** The process could not be started; `code` is the errno name where there is one. */
  Schema.TaggedStruct("LaunchFailed", { code: Schema.String, message: Schema.String }),
  /** Not ready within `startup_timeout`; `detail` is what the last attempt saw. */
  Schema.TaggedStruct("StartupTimeout", { afterMs: Schema.Number, detail: Schema.String }),
  /** It was replaced by the next run, which was ready after `afterMs`; `incarnation` is the run before. */
  Schema.TaggedStruct("Replaced", { incarnation: Schema.Int, afterMs: Schema.Number }),
  /** It was to be replaced, and the next run did not get ready. */
  Schema.TaggedStruct("NotReplaced", { problem: Schema.String }),
  /** A run that was replaced is stopped: nothing is open on it any more, or `left` is and its time is over. */
  Schema.TaggedStruct("Drained", { incarnation: Schema.Int, left: Schema.Int }),
  /** The delay is over; `attempt` counts the restarts in a row from 0. */
  Schema.TaggedStruct("BackoffElapsed", { attempt: Schema.Int, afterMs: Schema.Number }),
  /** More automatic restarts than `max_restarts` would have fallen into `restart_window`. */
  Schema.TaggedStruct("IntensityExceeded", { restarts: Schema.Int, windowMs: Schema.Number }),
  /** The backoff schedule came to its end. */
  Schema.TaggedStruct("BackoffExhausted", { restarts: Schema.Int }),
  /** Another member of the group failed, and the group's strategy reaches this one. */
  Schema.TaggedStruct("GroupRound", { group: GroupName, failed: InstanceName }),
  /** The group needed more rounds than its own intensity allows. */
  Schema.TaggedStruct("GroupGaveUp", { group: GroupName, rounds: Schema.Int, windowMs: Schema.Number })
).annotations({ identifier: "Cause" })
/** @since 0.1.0 */
export type Cause = typeof Cause.Type
