/**
 * How far an instance is kept from its host: each way turns the command into the command that is really run.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Endpoint } from "./Endpoint.ts"
import type { IsolationUnavailable, LaunchFailed } from "./Errors.ts"
import type { LaunchSpec } from "./Launcher.ts"

/**
 * Prepares what a way of isolation needs for one run; closing the scope takes it away again.
 *
 * @since 0.1.0
 * @category tags
 */
export class Isolation extends Context.Tag("tenement/layers/Isolation")<Isolation, {
  readonly prepare: (
    spec: LaunchSpec,
    endpoint: Endpoint
  ) => Effect.Effect<LaunchSpec, IsolationUnavailable | LaunchFailed, Scope.Scope>
}>() {}

/**
 * What the layers of the same names provide.
 *
 * @internal
 */
export const services = {
  process: { prepare: Effect.succeed } satisfies Context.Tag.Service<Isolation>
}

/**
 * A session and process group of its own, a clean environment, no inherited file descriptor: hygiene, and no boundary
 * against a hostile program.
 *
 * @since 0.1.0
 * @category layers
 */
export const process: Layer.Layer<Isolation> = Layer.succeed(Isolation, services.process)
