/**
 * Who is there: instances come when they are asked for, and go when nobody wants them any more.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Cause } from "../domain/Cause.ts"
import { type InstanceId, type InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import { nearest } from "../domain/Nearest.ts"
import type { InstanceView, Outcome } from "../domain/Views.ts"
import * as InstanceDir from "../layers/InstanceDir.ts"
import type { Logs } from "../layers/Logs.ts"
import { Store } from "../layers/Store.ts"
import type { ActorLost, HandedOver, NoSuchInstance, ShuttingDown } from "./Errors.ts"
import { DataLeft, NoSuchService, NotReady } from "./Errors.ts"
import type * as Instance from "./Instance.ts"
import * as InstanceRecord from "./InstanceRecord.ts"
import type { ChangeFailed } from "./Tenement.ts"
import type { Tree } from "./Tree.ts"

/**
 * What instances are made and forgotten with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Means {
  readonly tree: Tree
  readonly store: typeof Store.Service
  readonly logs: typeof Logs.Service
  /** One change of the tree's shape at a time. */
  readonly reshaping: Effect.Semaphore
  /** Fails where nothing is changed any more. */
  readonly open: Effect.Effect<void, HandedOver | ShuttingDown>
  readonly find: (name: InstanceName) => Effect.Effect<Instance.Instance, NoSuchInstance>
  readonly ask: (instance: Instance.Instance, verb: Instance.Verb, cause: Cause) => Effect.Effect<Outcome, ChangeFailed>
  readonly viewOf: (instance: Instance.Instance) => Effect.Effect<InstanceView>
  readonly removedMeanwhile: (
    instance: Instance.Instance,
    lost: ActorLost
  ) => Effect.Effect<never, ActorLost | HandedOver | NoSuchInstance>
}

/**
 * The doors of `spawn` and `rm`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ ask, find, logs, open, removedMeanwhile, reshaping, store, tree, viewOf }: Means) => {
  const removed = (name: InstanceName) => Effect.provideService(InstanceRecord.remove(name), Store, store)
  const stayRemoved = (name: InstanceName) => Effect.provideService(InstanceRecord.stayRemoved(name), Store, store)

  const obtain = (service: ServiceName, id: InstanceId) =>
    Effect.gen(function*() {
      const instance = yield* reshaping.withPermits(1)(Effect.zipRight(open, tree.obtain(service, id)))
      if (Option.isSome(instance)) {
        return instance.value
      }
      const names = [...(yield* tree.config).services.keys()]
      return yield* new NoSuchService({ service, nearest: nearest(service, names) })
    })

  /** An instance that was made for a wish which could not be kept is gone again. */
  const unmake = (instance: Instance.Instance) =>
    reshaping.withPermits(1)(Effect.gen(function*() {
      const { name, state: { phase, wanted } } = yield* instance.snapshot
      const isUnasked = phase._tag === "Stopped" && wanted === "unasked"
      if (!isUnasked || !(yield* Effect.orElseSucceed(instance.retire(Effect.void), () => false))) return
      yield* tree.forget(name)
      const { id, service } = parts(name)
      // One that the file lists and that was not there had been removed.
      const isListed = (yield* tree.config).services.get(service)?.instances.includes(id) ?? false
      if (isListed) {
        yield* stayRemoved(name)
      }
    }))

  const spawn = Effect.fn("Tenement.spawn")((service: ServiceName, id: InstanceId) =>
    Effect.gen(function*() {
      const instance = yield* obtain(service, id)
      return yield* ask(instance, "Start", { _tag: "Person", verb: "spawn" }).pipe(
        Effect.tapErrorTag("StoreFailed", () => unmake(instance))
      )
      // The one that was found was being removed: then there shall be another.
    }).pipe(Effect.retry({
      times: 3,
      while: ({ _tag }) => _tag === "NoSuchInstance"
    }))
  )

  const remove = Effect.fn("Tenement.remove")(function*(name: InstanceName, options: { readonly data: boolean }) {
    yield* open
    const instance = yield* find(name)
    yield* ask(instance, "Stop", { _tag: "Person", verb: "rm" })
    const forget = Effect.gen(function*() {
      const isOver = yield* Effect.catchTag(
        instance.retire(removed(name)),
        "ActorLost",
        (lost) => removedMeanwhile(instance, lost)
      )
      if (isOver) return yield* tree.forget(name)
      const reason = "it was started again while it was being removed"
      return yield* new NotReady({ instance: yield* viewOf(instance), reason })
    })
    yield* reshaping.withPermits(1)(Effect.uninterruptible(forget))
    if (!options.data) return yield* logs.forget(name)
    const { settings } = yield* tree.config
    const deleted = yield* Effect.all([logs.remove(name), InstanceDir.remove(settings, name)], { mode: "either" })
    const problems = Arr.getLefts(deleted).map(({ message }) => message)
    if (Arr.isNonEmptyArray(problems)) return yield* new DataLeft({ instance: name, problems })
  })

  return { obtain, spawn, remove }
}
