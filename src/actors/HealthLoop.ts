/**
 * Probes a ready instance at its interval, for as long as it is not interrupted.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import { elapsed } from "../domain/Instant.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import type { HealthCheck } from "../layers/HealthCheck.ts"
import { now } from "./Now.ts"

/**
 * One probe at a time, on a fixed beat whose phase is random: instances that were started together are not probed
 * together, and a probe that took long delays no other. A beat that was missed is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = Effect.fnUntraced(function*(options: {
  readonly check: typeof HealthCheck.Service
  readonly endpoint: Endpoint
  readonly intervalMs: number
  readonly tell: (healthy: boolean, detail: string, seconds: number) => Effect.Effect<void>
}) {
  const interval = Math.max(1, Math.round(options.intervalMs))
  const origin = yield* now
  let due = yield* Random.nextIntBetween(0, interval)
  while (true) {
    yield* Effect.sleep(Math.ceil(Math.max(0, due - elapsed(origin, yield* now))))
    const begun = yield* now
    const result = yield* Effect.either(options.check.probe(options.endpoint))
    const ended = yield* now
    const seconds = elapsed(begun, ended) / 1000
    yield* Either.isRight(result)
      ? options.tell(true, result.right, seconds)
      : options.tell(false, result.left.detail, seconds)
    const missed = Math.floor(Math.max(0, elapsed(origin, ended) - due) / interval)
    due += interval * (missed + 1)
  }
})
