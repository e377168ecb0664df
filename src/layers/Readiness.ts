/**
 * Tells when an instance can be used.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Endpoint } from "./Endpoint.ts"

/**
 * A wait for readiness, prepared before the process is launched (`env` is added to its environment, which is how
 * `NOTIFY_SOCKET` gets there) and run after. `ready` succeeds with what told so; meanwhile `observe` is told what each
 * look saw. It is interrupted when the instance ends, is stopped or runs out of `startup_timeout`.
 *
 * @since 0.1.0
 * @category tags
 */
export class Readiness extends Context.Tag("tenement/layers/Readiness")<Readiness, {
  readonly prepare: (endpoint: Endpoint) => Effect.Effect<{
    readonly env: Readonly<Record<string, string>>
    readonly ready: (observe: (detail: string) => Effect.Effect<void>) => Effect.Effect<string>
  }, never, Scope.Scope>
}>() {}
