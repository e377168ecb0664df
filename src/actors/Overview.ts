/**
 * How the instances of the tree are now: what they know of themselves, and what the machine says of their processes.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { running } from "../domain/InstanceState.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Events } from "../layers/Events.ts"
import type { Logs } from "../layers/Logs.ts"
import type { Usage } from "../layers/Usage.ts"
import type { NoSuchInstance } from "./Errors.ts"
import type * as Instance from "./Instance.ts"
import * as InstanceViews from "./InstanceViews.ts"
import * as Now from "./Now.ts"
import type * as Tree from "./Tree.ts"

/** How many of an instance's last lines `describe` shows. */
const lastLines = 20

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ events, find, logs, tree, usage, warn }: {
  readonly events: typeof Events.Service
  readonly find: (name: InstanceName) => Effect.Effect<Instance.Instance, NoSuchInstance>
  readonly logs: typeof Logs.Service
  readonly tree: Tree.Tree
  readonly usage: typeof Usage.Service
  readonly warn: (message: string) => Effect.Effect<void>
}) => {
  const sample = (snapshots: ReadonlyArray<Instance.Snapshot>) => {
    const processes = new Map<InstanceName, number>()
    for (const { name, state } of snapshots) {
      const run = running(state)
      if (run !== null) processes.set(name, run.pid)
    }
    return usage.sample(processes)
  }

  const views = Effect.gen(function*() {
    const snapshots = yield* Effect.forEach(
      yield* tree.instances,
      ({ look, snapshot }) => Effect.zipRight(look, snapshot)
    )
    const used = yield* sample(snapshots)
    const { settings } = yield* tree.config
    const at = yield* Now.now
    return {
      used,
      all: snapshots
        .map((snapshot) => InstanceViews.view(snapshot, used.get(snapshot.name), settings, at))
        .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    }
  })

  const viewOf = (instance: Instance.Instance) =>
    Effect.gen(function*() {
      const snapshot = yield* instance.snapshot
      const used = yield* sample([snapshot])
      const { settings } = yield* tree.config
      return InstanceViews.view(snapshot, used.get(snapshot.name), settings, yield* Now.now)
    })

  const describe = Effect.fn("Tenement.describe")(function*(name: InstanceName) {
    const instance = yield* find(name)
    const history = yield* events.history(name)
    const last = (incarnation?: number) =>
      logs.last(name, lastLines, incarnation).pipe(
        Effect.catchAll((error) => Effect.as(warn(error.message), []))
      )
    const failed = InstanceViews.failedRun(history)
    const printed = { lastLines: yield* last(), lastWords: failed === undefined ? [] : yield* last(failed) }
    return InstanceViews.description(
      yield* instance.snapshot,
      yield* viewOf(instance),
      history,
      printed,
      yield* Now.now
    )
  })

  return { views, viewOf, describe }
}
