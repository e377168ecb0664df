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
 * What the layers provide, by the words of the file.
 *
 * @internal
 */
export const services: { readonly [Mode in RestartMode]: Context.Tag.Service<RestartPolicy> } = {
  always: { name: "always", shouldRestart: () => true, revivedByGroup: true },
  "on-failure": { name: "on-failure", shouldRestart: (end) => !isSuccess(end), revivedByGroup: true },
  never: { name: "never", shouldRestart: () => false, revivedByGroup: false }
}

/**
 * After every end (OTP `permanent`, systemd `Restart=always`).
 *
 * @since 0.1.0
 * @category layers
 */
export const always: Layer.Layer<RestartPolicy> = Layer.succeed(RestartPolicy, services.always)

/**
 * After every end but a success (OTP `transient`); a signal from outside is a failure too, unlike in systemd.
 *
 * @since 0.1.0
 * @category layers
 */
export const onFailure: Layer.Layer<RestartPolicy> = Layer.succeed(RestartPolicy, services["on-failure"])

/**
 * After none (OTP `temporary`).
 *
 * @since 0.1.0
 * @category layers
 */
export const never: Layer.Layer<RestartPolicy> = Layer.succeed(RestartPolicy, services.never)
