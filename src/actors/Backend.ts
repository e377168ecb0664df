/**
 * An instance as requests see it.
 *
 * @since 0.1.0
 */
import type { ServiceConfig } from "../domain/Config.ts"
import { comes, label } from "../domain/InstanceState.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { StateLabel } from "../domain/Views.ts"
import { type InstanceMemory, runOf } from "./InstanceMemory.ts"
import type { InstanceRun } from "./InstanceRun.ts"

/**
 * A run as far as requests are concerned: where it is reached, and what it is busy with.
 *
 * @since 0.1.0
 * @category models
 */
export type Serving = Pick<InstanceRun, "incarnation" | "endpoint" | "requests">

/**
 * `run` is `null` while it takes no requests. Made for each request anew, so it is small.
 *
 * @since 0.1.0
 * @category models
 */
export interface Backend {
  readonly instance: InstanceName
  readonly state: StateLabel
  readonly weight: number
  /** What holds for it: the file's words, and a person's. */
  readonly config: ServiceConfig
  readonly run: Serving | null
  /** Whether a request can wait for it: it sleeps, or is on its way. */
  readonly comes: boolean
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const of = (memory: InstanceMemory): Backend => {
  const { options, parts, state } = memory
  return {
    instance: options.name,
    state: label(state.phase, parts.policy.health),
    weight: parts.config.weight,
    config: parts.config,
    run: state.phase._tag === "Up" ? runOf(memory) : null,
    comes: comes(state)
  }
}
