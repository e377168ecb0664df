/**
 * Where a reload gets the configuration from.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ConfigNotFound } from "../config/Errors.ts"
import type { TenementConfig } from "../domain/Config.ts"
import type { ConfigInvalid } from "../domain/Errors.ts"

/**
 * Reads the configuration as it is now.
 *
 * @since 0.1.0
 * @category tags
 */
export class ConfigSource extends Context.Tag("tenement/control/ConfigSource")<ConfigSource, {
  readonly load: Effect.Effect<TenementConfig, ConfigInvalid | ConfigNotFound>
}>() {}
