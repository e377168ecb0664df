/**
 * What is written down of an instance at each step of its life, and read by the supervisor that comes after this one.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type { ServiceConfig } from "../domain/Config.ts"
import type { InstanceState } from "../domain/InstanceState.ts"
import { type InstanceId, InstanceName, instanceName, parts } from "../domain/Names.ts"
import * as Overrides from "../domain/Overrides.ts"
import { alone } from "../domain/Rollout.ts"
import { type Deadlines, revive, Saved, type SavedRun } from "../domain/Saved.ts"
import type { Identity } from "../layers/Process.ts"
import { Store } from "../layers/Store.ts"
import { type InstanceMemory, runOf } from "./InstanceMemory.ts"
import type { InstanceRun } from "./InstanceRun.ts"

type StoreService = Context.Tag.Service<Store>

const limitKeys = ["memoryLimitBytes", "cpuShares", "cpuLimit", "pidsLimit"] as const

const instanceKey = (name: InstanceName | ""): string => `instance ${name}`
const removedKey = (name: InstanceName | ""): string => `removed ${name}`
const launchKey = (name: InstanceName | ""): string => `launch ${name}`
const stoppedKey = "stopped all"

const savedRun = (
  { cgroup, config, endpoint, incarnation, isBeside, outOfMemory, process, wrapper }: InstanceRun
): SavedRun => ({
  incarnation,
  isBeside,
  pid: process.pid,
  startTime: process.startTime,
  endpoint,
  wrapper,
  limits: cgroup === null ? null : Struct.pick(cgroup.limits(), ...limitKeys),
  config,
  oomKills: outOfMemory.known()
})

/**
 * Writes down an instance with this state.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (
  store: StoreService,
  memory: InstanceMemory,
  state: InstanceState
): Effect.Effect<void> => {
  const { beside, deadlines, options: { name }, overrides, parts: { config }, restarts, runs } = memory
  const run = runOf(memory, state.incarnation)
  const saved: Saved = {
    session: store.session,
    state,
    run: run === null ? null : savedRun(run),
    ...(beside === alone
      ? {}
      : { beside: { ...beside, runs: runs.filter((other) => other !== run).map(savedRun) } }),
    ...(overrides === Overrides.none ? {} : { overrides }),
    deadlines,
    restarts,
    isListed: config.instances.includes(parts(name).id)
  }
  return store.put(instanceKey(name), saved)
}

/**
 * Writes down of what nobody has any more that this run of it has been asked to stop, and until when it has time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const writeAsked = (name: InstanceName, saved: Saved, deadlines: Deadlines) =>
  Effect.flatMap(
    Store,
    (store) => store.put(instanceKey(name), { ...saved, deadlines } satisfies Saved)
  )

/**
 * Writes down a process before its program runs: should the supervisor die before it can say more of it, the next one
 * ends it (`Takeover.clear`). It stays written until the next launch.
 *
 * @since 0.1.0
 * @category combinators
 */
export const announce = (store: StoreService, name: InstanceName) => ({ pid, startTime }: Identity) =>
  store.put(launchKey(name), { boot: store.session.boot, pid, startTime } satisfies Launch)

/**
 * A person has removed it: it is not made again because a file lists it. On the disk once this is done; if it cannot be,
 * nothing has changed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = (name: InstanceName) =>
  Effect.flatMap(Store, (store) =>
    store.put(removedKey(name), true).pipe(
      Effect.zipRight(store.flushed),
      Effect.tapError(() => store.remove(removedKey(name)))
    ))

/**
 * It was made again, and could not be kept: as before, it is not made because a file lists it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stayRemoved = (name: InstanceName) => Effect.flatMap(Store, (store) => store.put(removedKey(name), true))

/**
 * It is wanted again, or no file lists it any more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unremove = (name: InstanceName) => Effect.flatMap(Store, (store) => store.remove(removedKey(name)))

/**
 * Nothing is known of it any more.
 *
 * @since 0.1.0
 * @category combinators
 */
export const forget = (name: InstanceName) =>
  Effect.flatMap(Store, (store) => Effect.zipRight(store.remove(instanceKey(name)), store.remove(launchKey(name))))

/**
 * Everything was stopped in order: whoever comes next starts it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stoppedAll = Effect.flatMap(Store, (store) => store.put(stoppedKey, true))

/**
 * What the supervisor before this one left.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inheritance {
  readonly instances: ReadonlyMap<InstanceName, Saved>
  readonly removed: ReadonlySet<InstanceName>
  /** The process that was started last of each. */
  readonly launched: ReadonlyMap<InstanceName, Identity>
}

/**
 * Nobody was here before.
 *
 * @since 0.1.0
 * @category constants
 */
export const nothing: Inheritance = { instances: new Map(), removed: new Set(), launched: new Map() }

/**
 * What is left of it for a service: the instances that it had and still has, and those that its file lists and nobody has
 * removed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const of = ({ instances, removed }: Inheritance, { instances: listed, name }: ServiceConfig) => {
  const inherited = new Map<InstanceId, Saved>()
  for (const [instance, saved] of instances) {
    // Every service asks this of every instance.
    if (!instance.startsWith(`${name}:`)) continue
    const { id } = parts(instance)
    const isDelisted = saved.isListed && !listed.includes(id)
    if (!isDelisted && !removed.has(instance)) inherited.set(id, saved)
  }
  return { inherited, listed: listed.filter((id) => !removed.has(instanceName(name, id))) }
}

const Launch = Schema.Struct({ boot: Schema.String, pid: Schema.Int, startTime: Schema.String })
type Launch = typeof Launch.Type

const decode = Schema.decodeUnknownEither(Saved)
const isLaunch = Schema.is(Launch)
const isName = Schema.is(InstanceName)

/**
 * Of what a store holds, the instances that this version could not take over.
 *
 * @since 0.1.0
 * @category combinators
 */
export const illegible = (entries: ReadonlyMap<string, unknown>): ReadonlyArray<string> => {
  const prefix = instanceKey("")
  return [...entries].flatMap(([key, value]) => {
    if (!key.startsWith(prefix)) return []
    const name = key.slice(prefix.length)
    return isName(name) && Either.isRight(decode(value)) ? [] : [name]
  })
}

/**
 * Reads it. From then on, what has not been stopped is taken to be running.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read: Effect.Effect<Inheritance, never, Store> = Effect.gen(function*() {
  const store = yield* Store
  const wereStopped = (yield* store.take(stoppedKey)).size > 0
  yield* store.remove(stoppedKey)
  const instances = new Map<InstanceName, Saved>()
  for (const [key, value] of yield* store.take(instanceKey(""))) {
    const name = key.slice(instanceKey("").length)
    const saved = decode(value)
    if (isName(name) && Either.isRight(saved)) instances.set(name, revive(saved.right, store.session, wereStopped))
    else yield* Effect.logError(`what was written down of ${name} cannot be read, and is left out`)
  }
  const removed = [...(yield* store.take(removedKey(""))).keys()].map((key) => key.slice(removedKey("").length))
  const launched = new Map<InstanceName, Identity>()
  for (const [key, launch] of yield* store.take(launchKey(""))) {
    const name = key.slice(launchKey("").length)
    // Nothing outlives the machine's end.
    const canBeThere = isLaunch(launch) && launch.boot === store.session.boot && !wereStopped
    if (isName(name) && canBeThere) launched.set(name, launch)
  }
  return { instances, removed: new Set(removed.filter(isName)), launched }
})
