/** @internal */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as FsPromises from "node:fs/promises"
import * as Path from "node:path"
import { type Limits, unlimited } from "../../../domain/Config.ts"
import { type InstanceName, parts } from "../../../domain/Names.ts"
import { codeOf } from "../../../internal/errno.ts"
import type { Cgroup, Place } from "../../Cgroup.ts"
import { CgroupFailed } from "../../Errors.ts"
import { adviceFor } from "./advice.ts"
import * as Counters from "./counters.ts"
import * as Folder from "./folder.ts"
import * as Hierarchies from "./hierarchies.ts"
import * as Limiting from "./limits.ts"
import type { Places } from "./places.ts"
import * as Tree from "./tree.ts"

/** How long what a dead supervisor left may take to die, and how long a cgroup may be busy after its last process. */
const evictionMs = 5000
const removalMs = 1000

/** Takes cgroups away; those that are busy for longer are returned. */
const removed = (paths: ReadonlyArray<string>, delay = 2, left = removalMs): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const busy = paths.filter((path) => !Folder.remove(path))
    return busy.length === 0 || left <= 0
      ? Effect.succeed(busy)
      : Effect.zipRight(Effect.sleep(delay), removed(busy, Math.min(delay * 2, 50), left - delay))
  })

/** Unlike an instance's name it has no colon, at which readers of /proc/PID/cgroup split; unlike the kernel's files no dot. */
const nameOf = ({ beside, instance }: Place): string => {
  const { id, service } = parts(instance)
  return beside === null ? `${service}@${id}` : `${service}@${id}@${beside}`
}

/** Whether a cgroup of this name can be a run's, and not somebody else's. */
const isName = (name: string): boolean => /^[^@.]+@[^@.]+(@\d+)?$/.test(name)

/** What was made, and where what lives in it is told. */
export type Made = Cgroup & { readonly path: string }

interface Value extends Limiting.Setting {
  readonly path: string
}

interface Failure {
  readonly key: string | null
  readonly obstacle: Folder.Obstacle
}

/** The whole cgroup, or the first thing that is in its way. */
const attempt = (folders: ReadonlyArray<string>, values: ReadonlyArray<Value>): Failure | undefined => {
  for (const folder of folders) {
    const obstacle = Folder.make(folder)
    if (obstacle !== undefined) return { key: null, obstacle }
  }
  for (const { key, optional, path, value } of values) {
    const obstacle = Folder.write(path, value)
    if (obstacle !== undefined && !(optional === true && obstacle.code === "ENOENT")) return { key, obstacle }
  }
  return undefined
}

/** Makes the cgroups of runs, and keeps in `present` those that there are. */
export const within = (places: Places, present: Map<InstanceName, Made>) => {
  const { bases, limiting, obstacles, tracking } = places
  const { version } = tracking.hierarchy
  const foretellMove = Hierarchies.foreteller(tracking.hierarchy)

  const pathOf = (place: Place) => `${tracking.path}/${nameOf(place)}`
  const foldersOf = (place: Place) => bases.map(({ path }) => `${path}/${nameOf(place)}`)

  const failure = (instance: InstanceName, { key, obstacle: { code, path } }: Failure, advice = adviceFor(code)) =>
    new CgroupFailed({ instance, key, path, code, advice })

  /** What `limits` ask of files, or the first that they ask in vain. */
  const asked = (place: Place, limits: Limits, had: Limits) =>
    Effect.forEach(
      Limiting.settings((controller) => limiting.get(controller)?.hierarchy.version ?? 2, limits, had),
      (setting): Effect.Effect<Value, CgroupFailed> => {
        const { controller, file, key } = setting
        const base = limiting.get(controller)
        const obstacle = obstacles.get(controller) ?? { path: controller, code: "ENOENT" }
        return base === undefined
          ? Effect.fail(failure(place.instance, { key, obstacle }))
          : Effect.succeed({ ...setting, path: `${base.path}/${nameOf(place)}/${file}` })
      }
    )

  /** Nothing is to join what another run has left. */
  const evict = (place: Place, folders: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const { instance } = place
      const path = pathOf(place)
      const left = Folder.members(path)
      if (left.length > 0) {
        yield* Effect.logWarning(`${instance}: processes of an earlier supervisor are killed: ${left.join(", ")}`)
      }
      yield* Tree.clear(version, path, evictionMs)
      const [busy] = yield* removed(folders)
      if (busy === undefined) return
      const holds = Folder.members(busy).join(", ")
      return yield* failure(
        instance,
        { key: null, obstacle: { path: busy, code: "EBUSY" } },
        `Processes of an earlier run do not end; see to them: ${holds}`
      )
    })

  const release = (place: Place, folders: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      const { instance } = place
      // The next run may be there already.
      if (present.get(instance)?.path === pathOf(place)) present.delete(instance)
      return Effect.flatMap(removed(folders), (busy) =>
        busy.length === 0
          ? Effect.void
          : Effect.logWarning(`${instance}: cgroups that are left, and removed by its next run: ${busy.join(", ")}`))
    })

  /** The handle of what is made. */
  const handle = (place: Place, limits: Limits): Cgroup => {
    const { instance } = place
    const path = pathOf(place)
    let had = limits
    const cgroup: Made = {
      path,
      procs: bases.map(({ hierarchy, path }) => `${path}/${nameOf(place)}/${Hierarchies.entrance(hierarchy)}`),
      isPopulated: Effect.sync(() => Tree.isPopulated(version, path)),
      members: Effect.sync(() => Folder.members(path)),
      kill: Tree.kill(version, path),
      limits: () => had,
      limit: (next) =>
        Effect.gen(function*() {
          for (const { key, optional, path, value } of yield* asked(place, next, had)) {
            // The kernel may have to make room first: not on the time of all others.
            yield* Effect.tryPromise({ try: () => FsPromises.writeFile(path, value, { flag: "r+" }), catch: codeOf })
              .pipe(
                Effect.catchIf((code) => optional === true && code === "ENOENT", () => Effect.void),
                Effect.mapError((code) => failure(instance, { key, obstacle: { path, code } }))
              )
          }
          had = next
        }),
      usage: Effect.sync(() => Counters.usage(places, nameOf(place))),
      oomKills: Effect.sync(() => Counters.oomKills(places, nameOf(place)))
    }
    present.set(instance, cgroup)
    return cgroup
  }

  const make = (place: Place, limits: Limits): Effect.Effect<Cgroup, CgroupFailed, Scope.Scope> =>
    Effect.uninterruptible(Effect.gen(function*() {
      const values = yield* asked(place, limits, unlimited)
      const folders = foldersOf(place)
      yield* Scope.addFinalizer(yield* Effect.scope, release(place, folders))
      let failed = attempt(folders, values)
      if (failed?.key === null && failed.obstacle.code === "EEXIST") {
        yield* evict(place, folders)
        failed = attempt(folders, values)
      }
      if (failed !== undefined) return yield* failure(place.instance, failed)
      // Whatever the kernel kills in it for memory, it is of no use without.
      Folder.write(`${pathOf(place)}/memory.oom.group`, "1")
      foretellMove()
      return handle(place, limits)
    }))

  const adopt = (place: Place, limits: Limits): Effect.Effect<Cgroup | null, never, Scope.Scope> =>
    Effect.gen(function*() {
      if (!Folder.exists(pathOf(place))) return null
      yield* Scope.addFinalizer(yield* Effect.scope, release(place, foldersOf(place)))
      // They go with their controllers, and those may have been switched off so that a supervisor could be started.
      const values = yield* Effect.option(asked(place, limits, unlimited))
      const isLimited = Option.isSome(values) && attempt([], values.value) === undefined
      Folder.write(`${pathOf(place)}/memory.oom.group`, "1")
      return handle(place, isLimited ? limits : unlimited)
    })

  const sweep = (kept: ReadonlyArray<Place>) =>
    Effect.gen(function*() {
      const known = new Set(kept.map(nameOf))
      const names = new Set(bases.flatMap(({ path }) => Folder.inside(path)).map((path) => Path.basename(path)))
      for (const name of names) {
        if (known.has(name) || !isName(name)) continue
        yield* Tree.clear(version, `${tracking.path}/${name}`, evictionMs)
        yield* removed(bases.map(({ path }) => `${path}/${name}`))
      }
    })

  return { make, adopt, sweep }
}
