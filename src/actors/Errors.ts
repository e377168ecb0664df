/**
 * What can go wrong when something is asked of the tree. All of these cross the API as they are.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { InstanceName, ServiceName } from "../domain/Names.ts"
import { InstanceView } from "../domain/Views.ts"

/**
 * The file has no such service.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchService extends Schema.TaggedError<NoSuchService>()("NoSuchService", {
  service: ServiceName,
  /** The nearest name that exists, if one is near. */
  nearest: Schema.NullOr(ServiceName)
}) {
  override get message() {
    return `there is no service "${this.service}"` +
      (this.nearest === null ? "" : `; did you mean "${this.nearest}"?`)
  }
}

/**
 * There is no such instance.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchInstance extends Schema.TaggedError<NoSuchInstance>()("NoSuchInstance", {
  instance: InstanceName,
  nearest: Schema.NullOr(InstanceName)
}) {
  override get message() {
    return `there is no instance "${this.instance}"` +
      (this.nearest === null ? "" : `; did you mean "${this.nearest}"?`)
  }
}

/**
 * The instance did not become ready. It stays under supervision: `instance.state` says what happens next.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", {
  instance: InstanceView,
  reason: Schema.String
}) {
  override get message() {
    return `${this.instance.name} is not ready: ${this.reason}`
  }
}

/**
 * A probe was asked for and nothing is running.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotRunning extends Schema.TaggedError<NotRunning>()("NotRunning", {
  instance: InstanceName,
  reason: Schema.String
}) {
  override get message() {
    return `${this.instance}: ${this.reason}`
  }
}

/**
 * The instance is gone, and what was to be deleted with it is not, or not all of it.
 *
 * @since 0.1.0
 * @category errors
 */
export class DataLeft extends Schema.TaggedError<DataLeft>()("DataLeft", {
  instance: InstanceName,
  problems: Schema.NonEmptyArray(Schema.String)
}) {
  override get message() {
    return `${this.instance} is gone, but not all of its data: ${this.problems.join("; ")}. Delete the rest by hand`
  }
}

/**
 * More is waiting to be done for this actor than it takes. Nothing was changed; try again.
 *
 * @since 0.1.0
 * @category errors
 */
export class Busy extends Schema.TaggedError<Busy>()("Busy", { actor: Schema.String }) {
  override get message() {
    return `${this.actor} has too many requests waiting; nothing was changed, try again`
  }
}

/**
 * The actor had a defect while it worked on this request, or was stopped before it came to it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ActorLost extends Schema.TaggedError<ActorLost>()("ActorLost", {
  actor: Schema.String
}) {
  override get message() {
    return `${this.actor} could not finish this request`
  }
}

/**
 * The supervisor is going down.
 *
 * @since 0.1.0
 * @category errors
 */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>()("ShuttingDown", {}) {
  override get message() {
    return "the supervisor is shutting down"
  }
}

/**
 * Another supervisor takes over in this very moment. What was asked for before it goes on; ask the other.
 *
 * @since 0.1.0
 * @category errors
 */
export class HandedOver extends Schema.TaggedError<HandedOver>()("HandedOver", {}) {
  override get message() {
    return "the supervisor has made way for another, which goes on with everything: ask again"
  }
}

/**
 * The new configuration differs in a setting that holds for the life of a supervisor. Nothing was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReloadRefused extends Schema.TaggedError<ReloadRefused>()("ReloadRefused", {
  keys: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${this.keys.join(", ")}: a change here needs a restart of the supervisor; nothing was changed`
  }
}
