/**
 * What a program's own layers get wrong is the instance's trouble, and not its actor's: a check that throws is a check
 * that fails.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { isSuccess } from "../domain/Exit.ts"
import type { Stepper } from "../layers/Backoff.ts"
import { Unhealthy } from "../layers/Errors.ts"
import type { HealthCheck } from "../layers/HealthCheck.ts"
import type { Readiness } from "../layers/Readiness.ts"
import type { RestartPolicy } from "../layers/RestartPolicy.ts"

/**
 * The message of a defect, in one line.
 *
 * @since 0.1.0
 * @category combinators
 */
export const firstLine = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause).split("\n")[0] ?? ""

/**
 * A probe with a defect is one that did not pass.
 *
 * @since 0.1.0
 * @category combinators
 */
export const healthCheck = (check: Context.Tag.Service<HealthCheck>): Context.Tag.Service<HealthCheck> => ({
  watches: check.watches,
  probe: (endpoint) =>
    Effect.suspend(() => check.probe(endpoint)).pipe(
      Effect.catchAllCause((cause) =>
        Effect.fail(Option.getOrElse(
          Cause.failureOption(cause),
          () => new Unhealthy({ detail: `the check itself is broken: ${firstLine(cause)}` })
        ))
      )
    )
})

/**
 * A wait with a defect never ends, and `startup_timeout` does.
 *
 * @since 0.1.0
 * @category combinators
 */
export const readiness = ({ prepare, waits }: Context.Tag.Service<Readiness>): Context.Tag.Service<Readiness> => ({
  waits,
  prepare: (endpoint) =>
    Effect.map(Effect.suspend(() => prepare(endpoint)), ({ env, ready }) => ({
      env,
      ready: (observe) =>
        Effect.suspend(() => ready(observe)).pipe(
          Effect.catchAllCause((cause) =>
            Effect.zipRight(observe(`the check itself is broken: ${firstLine(cause)}`), Effect.never)
          )
        )
    }))
})

/**
 * A schedule with a defect has come to its end.
 *
 * @since 0.1.0
 * @category combinators
 */
export const backoff = ({ at, reset }: Stepper): Pick<Stepper, "at" | "reset"> => ({
  reset,
  at: (attempt) =>
    Effect.catchAllCause(
      at(attempt),
      (cause) => Effect.as(Effect.logError("a backoff schedule is broken, and counts as done", cause), Option.none())
    )
})

/**
 * A policy that throws answers as `on-failure` does.
 *
 * @since 0.1.0
 * @category combinators
 */
export const restartPolicy = (
  policy: Context.Tag.Service<RestartPolicy>
): Context.Tag.Service<RestartPolicy> => ({
  ...policy,
  shouldRestart: (end) => Either.getOrElse(Either.try(() => policy.shouldRestart(end)), () => !isSuccess(end))
})
