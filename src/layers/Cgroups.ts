/**
 * Control groups: what holds a run's processes together, limits them, and tells what they use.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type Limits, unlimited } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import type { Cgroup, Place } from "./Cgroup.ts"
import { CgroupFailed, CgroupsUnavailable } from "./Errors.ts"
import { adviceFor } from "./internal/cgroups/advice.ts"
import type * as Base from "./internal/cgroups/base.ts"
import type { Obstacle } from "./internal/cgroups/folder.ts"
import * as Hierarchies from "./internal/cgroups/hierarchies.ts"
import * as Limiting from "./internal/cgroups/limits.ts"
import * as Places from "./internal/cgroups/places.ts"
import * as Run from "./internal/cgroups/run.ts"
import { Store } from "./Store.ts"

export type { Cgroup, Place }

/**
 * Which cgroups are used: version 2, version 1, version 1 for limits beside version 2 for tracking, or none.
 *
 * @since 0.1.0
 * @category models
 */
export type Mode = "v2" | "v1" | "hybrid" | "none"

/**
 * What can be limited.
 *
 * @since 0.1.0
 * @category models
 */
export type Controller = Limiting.Controller

/**
 * Why something cannot be limited here, and what a person does about it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lack {
  readonly what: string
  readonly advice: string
}

/**
 * What was chosen on this machine, why, and what of it cannot be limited.
 *
 * @since 0.1.0
 * @category models
 */
export interface Facts {
  readonly mode: Mode
  readonly reason: string
  readonly folders: ReadonlyArray<string>
  readonly missing: ReadonlyMap<Controller, Lack>
}

/**
 * Makes cgroups for runs.
 *
 * @since 0.1.0
 * @category tags
 */
export class Cgroups extends Context.Tag("tenement/layers/Cgroups")<Cgroups, {
  readonly facts: Facts
  /**
   * A new cgroup with these limits in force; closing the scope takes it away with all that was made in it. `null` where
   * the machine has none to give, and nothing is limited. What a dead supervisor left in one of that name is killed first.
   */
  readonly make: (
    place: Place,
    limits: Limits
  ) => Effect.Effect<Cgroup | null, CgroupFailed, Scope.Scope>
  /** The cgroup that an earlier supervisor made for a run; `null` where there is none any more. */
  readonly adopt: (place: Place, limits: Limits) => Effect.Effect<Cgroup | null, never, Scope.Scope>
  /** Kills what lives in all other cgroups of runs, and takes them away. For before anything is started. */
  readonly sweep: (kept: ReadonlyArray<Place>) => Effect.Effect<void>
  /** The cgroup of an instance's newest run. */
  readonly of: (instance: InstanceName) => Cgroup | null
}>() {}

/**
 * `dataDir` must be locked: the folder of cgroups is named after it, so that what is found there is ours. `root` is the
 * cgroup to work in; `null` is the supervisor's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly dataDir: string
  readonly root: string | null
}

const lackOf = ({ code, path }: Obstacle): Lack => ({ what: `${path}: ${code}`, advice: adviceFor(code) })

const describe = ({ code, path }: Obstacle): string => `${path} (${code}). ${adviceFor(code)}`

const withPlaces = (mode: Mode, places: Places.Places): Context.Tag.Service<Cgroups> => {
  const present = new Map<InstanceName, Run.Made>()
  return {
    facts: {
      mode,
      reason: places.reason,
      folders: places.bases.map(({ path }) => path),
      missing: new Map([...places.obstacles].map(([controller, obstacle]) => [controller, lackOf(obstacle)]))
    },
    ...Run.within(places, present),
    of: (instance) => present.get(instance) ?? null
  }
}

const without = (reason: string, obstacle: Obstacle): Context.Tag.Service<Cgroups> => ({
  facts: {
    mode: "none",
    reason,
    folders: [],
    missing: new Map(Limiting.controllers.map((controller) => [controller, lackOf(obstacle)]))
  },
  make: ({ instance }, limits) => {
    const [first] = Limiting.settings(() => 2, limits, unlimited)
    return first === undefined
      ? Effect.succeed(null)
      : Effect.fail(new CgroupFailed({ instance, key: first.key, ...obstacle, advice: adviceFor(obstacle.code) }))
  },
  adopt: () => Effect.succeed(null),
  sweep: () => Effect.void,
  of: () => null
})

const key = "cgroups"

const decodeTops = Schema.decodeUnknownOption(Schema.Record({ key: Schema.String, value: Schema.String }))

/** Where an earlier supervisor had them. */
const earlier = Effect.gen(function*() {
  const { take } = yield* Store
  return Option.getOrElse(decodeTops((yield* take(key)).get(key)), () => ({}))
})

const inMode = (mode: Exclude<Mode, "none">, options: Options, before: Base.Tops) =>
  Effect.gen(function*() {
    const store = yield* Store
    const places = yield* Places.open(mode, Hierarchies.find(), { ...options, before })
    yield* store.put(key, Object.fromEntries(places.bases.map(({ hierarchy, top }) => [hierarchy.mount, top])))
    return withPlaces(mode, places)
  })

const only = (mode: Exclude<Mode, "none">) => (options: Options): Layer.Layer<Cgroups, CgroupsUnavailable, Store> =>
  Layer.scoped(
    Cgroups,
    Effect.mapError(
      Effect.flatMap(earlier, (before) => inMode(mode, options, before)),
      (obstacle) => new CgroupsUnavailable({ mode, reason: describe(obstacle) })
    )
  )

/**
 * One tree for everything, as today's systems have it.
 *
 * @since 0.1.0
 * @category layers
 */
export const v2 = only("v2")

/**
 * The trees of version 1, one for each controller.
 *
 * @since 0.1.0
 * @category layers
 */
export const v1 = only("v1")

/**
 * Limits by version 1; tracking and killing in the tree of version 2 beside it.
 *
 * @since 0.1.0
 * @category layers
 */
export const hybrid = only("hybrid")

/**
 * No cgroups: a tree of processes is a session, and nothing can be limited.
 *
 * @since 0.1.0
 * @category layers
 */
export const none: Layer.Layer<Cgroups> = Layer.succeed(
  Cgroups,
  without("cgroups are not used", { path: "/sys/fs/cgroup", code: "ENOSYS" })
)

/**
 * What the machine has: the first of these that can be used, and none where none can.
 *
 * @since 0.1.0
 * @category layers
 */
export const auto = (options: Options): Layer.Layer<Cgroups, never, Store> =>
  Layer.scoped(
    Cgroups,
    Effect.gen(function*() {
      const before = yield* earlier
      const obstacles: Array<Obstacle> = []
      for (const mode of Places.candidates(Hierarchies.find())) {
        const opened = yield* Effect.either(inMode(mode, options, before))
        if (opened._tag === "Right") return opened.right
        obstacles.push(opened.left)
      }
      const [first = { path: "/sys/fs/cgroup", code: "ENOENT" }] = obstacles
      return without(`no cgroup can be made here: ${describe(first)}`, first)
    })
  )
