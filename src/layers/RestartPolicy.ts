/**
 * Decides whether a run that ended is followed by another.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { RestartMode } from "../domain/Config.ts"
import { isSuccess, type RunEnd } from "../domain/Exit.ts"

/**
 * `shouldRestart` is asked once for each run that ended without anybody asking for it; it must be pure. `name` is what
 * `describe` shows. `revivedByGroup` says whether a round of the instance's group starts it again.
 *
 * @since 0.1.0
 * @category tags
 */
export class RestartPolicy extends Context.Tag("tenement/layers/RestartPolicy")<RestartPolicy, {
  readonly name: string
  readonly shouldRestart: (end: RunEnd) => boolean
  readonly revivedByGroup: boolean
}>() {}

/**
 * The three policies of the file.
 *
 * - `always`: after every end (OTP `permanent`, systemd `Restart=always`)
 * - `on-failure`: after every end but exit code 0 (OTP `transient`); a signal from outside is a failure too, unlike in
 *   systemd
 * - `never`: OTP `temporary`
 *
 * @since 0.1.0
 * @category constants
 */
export const policies: { readonly [Mode in RestartMode]: Context.Tag.Service<RestartPolicy> } = {
  always: { name: "always", shouldRestart: () => true, revivedByGroup: true },
  "on-failure": { name: "on-failure", shouldRestart: (end) => !isSuccess(end), revivedByGroup: true },
  never: { name: "never", shouldRestart: () => false, revivedByGroup: false }
}

/**
 * The layer of a `restart` key.
 *
 * @since 0.1.0
 * @category layers
 */
export const forMode = (mode: RestartMode): Layer.Layer<RestartPolicy> => Layer.succeed(RestartPolicy, policies[mode])

/**
 * @since 0.1.0
 * @category layers
 */
export const always: Layer.Layer<RestartPolicy> = forMode("always")

/**
 * @since 0.1.0
 * @category layers
 */
export const onFailure: Layer.Layer<RestartPolicy> = forMode("on-failure")

/**
 * @since 0.1.0
 * @category layers
 */
export const never: Layer.Layer<RestartPolicy> = forMode("never")
