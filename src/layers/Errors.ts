/**
 * What can go wrong where tenement touches the machine.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { InstanceName } from "../domain/Names.ts"
import { systemPath } from "../internal/systemPath.ts"

/**
 * A process could not be started. `code` is the errno name (`ENOENT`, `EACCES`, `EAGAIN`, …), `what` the thing it
 * was about: the command, the working folder, the user.
 *
 * @since 0.1.0
 * @category errors
 */
export class LaunchFailed extends Schema.TaggedError<LaunchFailed>()("LaunchFailed", {
  instance: InstanceName,
  code: Schema.String,
  what: Schema.String,
  advice: Schema.String
}) {
  override get message() {
    return `${this.instance} could not be started: ${this.what} (${this.code}). ${this.advice}`
  }
}

/**
 * The isolation that an instance asks for cannot be had. Nothing was started.
 *
 * @since 0.1.0
 * @category errors
 */
export class IsolationUnavailable extends Schema.TaggedError<IsolationUnavailable>()("IsolationUnavailable", {
  instance: InstanceName,
  level: Schema.String,
  missing: Schema.String,
  advice: Schema.String
}) {
  override get message() {
    return `${this.instance} asks for isolation "${this.level}", and ${this.missing}. ${this.advice}`
  }
}

/**
 * A limit cannot be put on an instance, or no cgroup can be made for it. Nothing was started. `key` is what the file
 * asks for.
 *
 * @since 0.1.0
 * @category errors
 */
export class CgroupFailed extends Schema.TaggedError<CgroupFailed>()("CgroupFailed", {
  instance: InstanceName,
  key: Schema.NullOr(Schema.String),
  path: Schema.String,
  code: Schema.String,
  advice: Schema.String
}) {
  override get message() {
    const what = this.key === null ? "it cannot have a cgroup of its own" : `its ${this.key} cannot be applied`
    return `${this.instance}: ${what}: ${this.path} (${this.code}). ${this.advice}`
  }
}

/**
 * The cgroups that a program asked for cannot be had on this machine.
 *
 * @since 0.1.0
 * @category errors
 */
export class CgroupsUnavailable extends Schema.TaggedError<CgroupsUnavailable>()("CgroupsUnavailable", {
  mode: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cgroups of mode ${this.mode} cannot be had: ${this.reason}`
  }
}

/**
 * A public socket path cannot be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class SocketUnusable extends Schema.TaggedError<SocketUnusable>()("SocketUnusable", {
  instance: InstanceName,
  path: Schema.String,
  code: Schema.String,
  problem: Schema.String,
  advice: Schema.String
}) {
  override get message() {
    return `${this.instance}: socket ${this.path}: ${this.problem}. ${this.advice}`
  }
}

/**
 * A probe did not pass. `detail` is what was seen: a status line, an errno name, a missed deadline.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * Logs could not be written or read.
 *
 * @since 0.1.0
 * @category errors
 */
export class LogsFailed extends Schema.TaggedError<LogsFailed>()("LogsFailed", {
  instance: Schema.String,
  path: Schema.String,
  code: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `logs of ${this.instance}: ${this.problem} (${this.path}: ${this.code})`
  }
}

/**
 * An instance's folder could not be deleted, or not all that is in it.
 *
 * @since 0.1.0
 * @category errors
 */
export class FolderLeft extends Schema.TaggedError<FolderLeft>()("FolderLeft", {
  path: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `folder ${this.path}: it cannot be deleted (${this.code})`
  }
}

/**
 * A program of the system that tenement needs did not do its work. `code` is its exit code, or an errno name.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolFailed extends Schema.TaggedError<ToolFailed>()("ToolFailed", {
  program: Schema.String,
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.code === "ENOENT"
      ? `${this.program} is not installed, or in none of ${systemPath}`
      : `${this.program} failed (${this.code}): ${this.detail}`
  }
}

/**
 * `readiness = "notify"` cannot be had. Nothing was started.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotifyUnavailable extends Schema.TaggedError<NotifyUnavailable>()("NotifyUnavailable", {
  code: Schema.String,
  problem: Schema.String,
  advice: Schema.String
}) {
  override get message() {
    return `sd_notify messages cannot be received: ${this.problem} (${this.code}). ${this.advice}`
  }
}

/**
 * What has to be kept cannot be written. Nothing was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreFailed extends Schema.TaggedError<StoreFailed>()("StoreFailed", {
  path: Schema.String,
  code: Schema.String
}) {
  override get message() {
    const why = this.code === "ENOSPC" || this.code === "EDQUOT"
      ? "the disk is full; make room, and it goes on by itself"
      : "see that data_dir is a folder that the supervisor can write to"
    return `${this.path} cannot be written (${this.code}): ${why}`
  }
}

/**
 * A newer tenement wrote what an older one would have to read. It is left as it is.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreTooNew extends Schema.TaggedError<StoreTooNew>()("StoreTooNew", {
  path: Schema.String,
  found: Schema.Int,
  known: Schema.Int
}) {
  override get message() {
    return `${this.path} has format ${this.found}, and this tenement knows ${this.known}: run the newer one, or set another data_dir`
  }
}
