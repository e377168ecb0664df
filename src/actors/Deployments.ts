/**
 * New versions beside old ones: how one is brought up, how traffic moves to it, and how the others go.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Verb } from "../domain/Cause.ts"
import type { TenementConfig } from "../domain/Config.ts"
import { type InstanceId, type InstanceName, instanceName, parts, type ServiceName } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import * as Soundness from "../domain/Soundness.ts"
import type { Outcome } from "../domain/Views.ts"
import type { NoSuchService } from "./Errors.ts"
import type { Instance } from "./Instance.ts"
import type { ChangeFailed, Tenement } from "./Tenement.ts"
import type { Tree } from "./Tree.ts"

type Service = Tenement["Type"]

/**
 * What a deployment is made of.
 *
 * @since 0.1.0
 * @category models
 */
export interface Means extends Pick<Service, "remove"> {
  readonly tree: Tree
  readonly find: (name: InstanceName) => Effect.Effect<Instance, ChangeFailed>
  /** Asks, as a person does, and waits for the outcome. */
  readonly ask: (
    instance: Instance,
    verb: "Start" | "Stop" | "Restart",
    word: Verb
  ) => Effect.Effect<Outcome, ChangeFailed>
  readonly obtain: (service: ServiceName, id: InstanceId) => Effect.Effect<Instance, ChangeFailed | NoSuchService>
}

/** The share of one that is to have all traffic, and by the file has none. */
const usualWeight = 100

/** How many are drained and stopped at once. */
const retiredAtOnce = 16

/** A command is checked as one of the file's is. */
const runnable = (config: TenementConfig, name: ServiceName, argv: ReadonlyArray<string>) => {
  const service = config.services.get(name)
  return service === undefined
    ? Effect.void
    : Soundness.check({ ...config, services: new Map(config.services).set(name, { ...service, argv }) }, {
      ownChecks: true
    })
}

/**
 * The doors of `deploy`, `route` and `weight`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ ask, find, obtain, remove, tree }: Means) => {
  /** The path that all instances of the service would have leads to this one; whoever had it gets one of its own. */
  const lead = (instance: Instance, others: ReadonlyArray<Instance>) =>
    Effect.gen(function*() {
      const { settings } = yield* tree.config
      const pathOf = ({ name, snapshot }: Instance) =>
        Effect.map(snapshot, ({ parts: { config } }) => ({
          config,
          path: Places.publicSocket(settings, config, parts(name).id)
        }))
      const { config, path } = yield* pathOf(instance)
      const shared = Places.sharedSocket(settings, config)
      if (shared === null || shared === path) return
      for (const other of others) {
        const theirs = yield* pathOf(other)
        if (theirs.path !== shared) continue
        yield* other.override({ publicPath: Places.ownSocket(settings, theirs.config, parts(other.name).id) })
      }
      yield* instance.override({ publicPath: shared })
    })

  /** What is open on it comes to its end first. */
  const retire = (instance: Instance) => Effect.zipRight(instance.drained, ask(instance, "Stop", "route"))

  const route: Service["route"] = Effect.fn("Tenement.route")(function*(name, { keep }) {
    const instance = yield* find(name)
    const outcome = yield* ask(instance, "Start", "route")
    const others = (yield* tree.instancesOf(parts(name).service)).filter((other) => other !== instance)
    const weight = Effect.map(instance.snapshot, ({ parts: { config } }) => config.weight)
    if ((yield* weight) === 0) yield* instance.override({ weight: undefined })
    // By the file it may have none.
    if ((yield* weight) === 0) yield* instance.override({ weight: usualWeight })
    yield* Effect.forEach(others, (other) => other.override({ weight: 0 }), { discard: true })
    yield* lead(instance, others)
    if (!keep) yield* Effect.forEach(others, retire, { concurrency: retiredAtOnce, discard: true })
    return outcome
  })

  const weigh: Service["weigh"] = Effect.fn("Tenement.weigh")(function*(name, weight) {
    const instance = yield* find(name)
    yield* instance.override({ weight: weight ?? undefined })
    return (yield* instance.snapshot).parts.config.weight
  })

  const deploy: Service["deploy"] = Effect.fn("Tenement.deploy")(
    function*({ argv, id, service, share }) {
      const name = instanceName(service, id)
      if (argv !== null) yield* runnable(yield* tree.config, service, argv)
      const isNew = Option.isNone(yield* tree.find(name))
      const instance = yield* obtain(service, id)
      const before = (yield* instance.snapshot).overrides
      yield* instance.override({ ...(argv === null ? {} : { argv }), ...(isNew ? { weight: 0 } : {}) })
      const begun = ask(instance, isNew ? "Start" : "Restart", "deploy")
      const outcome = yield* Effect.tapError(begun, () =>
        isNew
          ? Effect.ignoreLogged(remove(name, { data: false }))
          : instance.override({ argv: before.argv }).pipe(
            Effect.zipRight(instance.snapshot),
            // With restart_mode = "rolling" the one before serves still.
            Effect.flatMap(({ state }) => state.phase._tag === "Up" ? Effect.void : ask(instance, "Restart", "deploy")),
            Effect.ignoreLogged
          ))
      if (share !== null) yield* instance.override({ weight: share })
      else if (isNew || before.weight === 0) yield* route(name, { keep: false })
      return outcome
    }
  )

  return { deploy, route, weigh }
}
