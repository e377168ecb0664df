/**
 * What an instance that sleeps keeps ready, so that it wakes sooner: its cgroup, and in it the process that will become its
 * program.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { ServiceConfig } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import { type Cgroup, Cgroups } from "../layers/Cgroups.ts"
import { Launcher, type Prepared } from "../layers/Launcher.ts"

/**
 * Closing `scope` releases all of it, also what has become of the process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Standby {
  readonly cgroup: Cgroup | null
  readonly prepared: Prepared
  readonly scope: Scope.CloseableScope
}

/**
 * Makes it, in a scope of its own within the other. `null` where it cannot be had: the next start does without, and says what
 * is wrong if that concerns it too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(instance: InstanceName, config: ServiceConfig, within: Scope.Scope) {
  const { prepare } = yield* Launcher
  // Its socket is handed over by who starts it.
  if (prepare === null || config.socketActivation) return null
  const cgroups = yield* Cgroups
  const scope = yield* Scope.fork(within, { _tag: "Sequential" })
  const made = yield* cgroups.make({ instance, beside: null }, config).pipe(
    Effect.flatMap((cgroup) =>
      Effect.map(
        prepare(instance, cgroup),
        (prepared): Standby | null => prepared === null ? null : { cgroup, prepared, scope }
      )
    ),
    Scope.extend(scope),
    Effect.tapError(({ message }) => Effect.logDebug(`${instance}: nothing is kept ready while it sleeps: ${message}`)),
    Effect.option,
    Effect.map((made) => made._tag === "Some" ? made.value : null)
  )
  if (made === null) yield* Scope.close(scope, Exit.void)
  return made
}, Effect.uninterruptible)
