/**
 * A short text that changes with whatever takes another run of a service to be followed.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import type { ServiceConfig } from "../domain/Config.ts"
import * as ConfigDiff from "../domain/ConfigDiff.ts"

const known = new WeakMap<ServiceConfig, string>()

/**
 * Secrets are in it, and cannot be read from it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (config: ServiceConfig): string => {
  const digest = known.get(config) ??
    Crypto.createHash("sha256").update(ConfigDiff.restartText(config)).digest("base64url").slice(0, 22)
  known.set(config, digest)
  return digest
}
