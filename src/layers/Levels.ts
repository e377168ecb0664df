/**
 * The levels of isolation that a file can ask for.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import * as Gvisor from "./Gvisor.ts"
import { type Isolation, services } from "./Isolation.ts"
import * as Namespace from "./Namespace.ts"

/**
 * What services share of how they are isolated.
 *
 * @since 0.1.0
 * @category tags
 */
export class Levels extends Context.Tag("tenement/layers/Levels")<Levels, {
  /** The isolation that a service's keys ask for. */
  readonly of: (config: ServiceConfig) => Context.Tag.Service<Isolation>
}>() {}

/**
 * The levels of this machine.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (settings: Settings): Layer.Layer<Levels> =>
  Layer.sync(Levels, () => {
    const namespace = Namespace.make(settings)
    const gvisor = Gvisor.make(settings)
    return {
      of: (config) => {
        switch (config.isolation) {
          case "process":
            return services.process
          case "namespace":
            return namespace(config)
          case "sandbox":
            return config.sandboxRuntime === "gvisor" ? gvisor(config) : namespace(config)
        }
      }
    }
  })
