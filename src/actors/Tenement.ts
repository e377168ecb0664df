/**
 * The running tree, as the API, the command line and a program that embeds it see it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { TenementConfig } from "../domain/Config.ts"
import type { ConfigInvalid } from "../domain/Errors.ts"
import type { InstanceId, InstanceName, ServiceName } from "../domain/Names.ts"
import type {
  Description,
  EventRecord,
  InstanceView,
  LogLine,
  Outcome,
  ProbeReport,
  ReloadPlan,
  TreeNode
} from "../domain/Views.ts"
import type { LogsFailed, StoreFailed } from "../layers/Errors.ts"
import type { LogQuery } from "../layers/Logs.ts"
import type {
  ActorLost,
  Busy,
  DataLeft,
  HandedOver,
  NoSuchInstance,
  NoSuchService,
  NotReady,
  NotRunning,
  ReloadRefused,
  ShuttingDown
} from "./Errors.ts"
import type { ChildSpec } from "./Supervisor.ts"
import type { Traffic } from "./Traffic.ts"

/**
 * Why a change was not made, or did not come to its end.
 *
 * @since 0.1.0
 * @category errors
 */
export type ChangeFailed = NoSuchInstance | NotReady | Busy | ActorLost | ShuttingDown | HandedOver | StoreFailed

/**
 * A version to be brought up as an instance of a service: `argv` in the place of the file's command, `null` for that one;
 * `share` is its weight beside the others, `null` to have all traffic and the others stopped.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deployment {
  readonly service: ServiceName
  readonly id: InstanceId
  readonly argv: ReadonlyArray<string> | null
  readonly share: number | null
}

/**
 * Every change waits for its outcome; interrupting the wait does not take the change back.
 *
 * @since 0.1.0
 * @category tags
 */
export class Tenement extends Context.Tag("tenement/actors/Tenement")<Tenement, {
  /** All instances, sorted by name. */
  readonly list: Effect.Effect<ReadonlyArray<InstanceView>>
  readonly describe: (name: InstanceName) => Effect.Effect<Description, NoSuchInstance>
  /** Creates an instance if there is none of that name, starts it, waits until it is ready. */
  readonly spawn: (service: ServiceName, id: InstanceId) => Effect.Effect<Outcome, NoSuchService | ChangeFailed>
  readonly start: (name: InstanceName) => Effect.Effect<Outcome, ChangeFailed>
  readonly stop: (name: InstanceName) => Effect.Effect<Outcome, ChangeFailed>
  readonly restart: (name: InstanceName) => Effect.Effect<Outcome, ChangeFailed>
  /**
   * Starts a version next to the others, and moves traffic when it is ready. One that does not get ready is removed, or is
   * as it was before if there was one of that name.
   */
  readonly deploy: (deployment: Deployment) => Effect.Effect<Outcome, ConfigInvalid | NoSuchService | ChangeFailed>
  /**
   * Moves all traffic of its service to one instance, which is started if need be. The others are drained and stopped,
   * unless they are to be kept.
   */
  readonly route: (name: InstanceName, options: { readonly keep: boolean }) => Effect.Effect<Outcome, ChangeFailed>
  /** Sets an instance's share of its service's traffic, `null` for the file's, and gives what it is then. */
  readonly weigh: (name: InstanceName, weight: number | null) => Effect.Effect<number, ChangeFailed>
  /** Stops and forgets; with `data` also deletes the instance's logs and folder. */
  readonly remove: (
    name: InstanceName,
    options: { readonly data: boolean }
  ) => Effect.Effect<void, ChangeFailed | DataLeft>
  /** One probe, now; it does not count for the instance's health. */
  readonly probe: (name: InstanceName) => Effect.Effect<ProbeReport, NoSuchInstance | NotRunning>
  readonly logs: (query: LogQuery) => Stream.Stream<LogLine, LogsFailed | NoSuchInstance>
  readonly events: (query: {
    readonly tail: number | null
    readonly sinceMs: number | null
    readonly follow: boolean
  }) => Stream.Stream<EventRecord>
  readonly tree: Effect.Effect<TreeNode>
  /** Starts everything that the configuration lists, once, in dependency order; does not wait until it is up. */
  readonly boot: Effect.Effect<void>
  /**
   * Stops everything, in reverse dependency order. Gives who could not be stopped: what survives SIGKILL is not waited
   * for any longer. Happens by itself when the layer is released, and once.
   */
  readonly shutdown: Effect.Effect<ReadonlyArray<InstanceName>>
  /**
   * Another supervisor takes over: every actor comes to rest where it is, that is written down, and nothing is done any
   * more; instances go on, and are not stopped when the layer is released. `atLast` is done when no change of the tree is
   * under way. What fails before that has changed nothing.
   */
  readonly leave: (atLast: Effect.Effect<void>) => Effect.Effect<void, ShuttingDown | StoreFailed>
  /** Puts an actor of the supervisor's own under the tree's `system`, beside the services. */
  readonly attach: (actor: ChildSpec) => Effect.Effect<void>
  readonly config: Effect.Effect<TenementConfig>
  /**
   * Goes over to another configuration: everything that differs and nothing else, or, with `dryRun`, just says what. Waits
   * until what was started has settled; interrupting the wait takes nothing back.
   */
  readonly reload: (
    next: TenementConfig,
    options: { readonly dryRun: boolean }
  ) => Effect.Effect<ReloadPlan, ConfigInvalid | ReloadRefused | ShuttingDown | HandedOver | StoreFailed>
  readonly traffic: Traffic
  /** The Prometheus exposition text. */
  readonly metrics: Effect.Effect<{ readonly contentType: string; readonly body: string }>
}>() {}
