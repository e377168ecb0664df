/** @internal */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import * as Folder from "./folder.ts"
import type { Hierarchy } from "./hierarchies.ts"
import type { Controller } from "./limits.ts"

/** The folder in a hierarchy that is the supervisor's: in it are the cgroups of instances, and nothing else. */
export interface Base {
  readonly hierarchy: Hierarchy
  /** The folder above, which is somebody else's or the supervisor's own cgroup. */
  readonly top: string
  readonly path: string
}

/** The cgroup in it for the supervisor itself, where it has to leave its own. */
const leaf = "supervisor"

/** Where a root that a person named is: a path of the hierarchy, or the folder that it is in the file system. */
const folderOf = ({ mount }: Hierarchy, root: string): string => {
  const path = Path.normalize(root).replace(/\/$/, "")
  return path === mount || path.startsWith(`${mount}/`) ? path : `${mount}${path}`
}

/** The folders above that an earlier supervisor had, by the mount of their hierarchy. */
export type Tops = Readonly<Record<string, string>>

/** What an earlier supervisor has left goes on where it is, wherever this one was started. */
const topOf = (
  hierarchy: Hierarchy,
  { before, root }: { readonly root: string | null; readonly before: Tops },
  name: string
): string => {
  if (root !== null) return folderOf(hierarchy, root)
  const earlier = before[hierarchy.mount]
  return earlier !== undefined && Folder.isOccupied(`${earlier}/${name}`) ? earlier : unitOf(hierarchy.own)
}

/**
 * The cgroup of the unit that this process runs in. With `DelegateSubgroup=supervisor` systemd starts it in one below, so
 * that the unit's own holds no process, and may have limited ones in it whenever the unit is started.
 */
const unitOf = (own: string): string => own.endsWith(".service/supervisor") ? Path.dirname(own) : own

/** From the folder below `mount` down to `path`. */
const steps = (mount: string, path: string): ReadonlyArray<string> =>
  path === mount ? [] : [...steps(mount, Path.dirname(path)), path]

const takeAway = (made: ReadonlyArray<string>) => {
  for (const folder of made.toReversed()) Folder.removeOne(folder)
}

/**
 * The folder of that name, made if need be, for as long as the scope lives. What a predecessor left in it is taken away
 * where nothing lives in it.
 */
export const open = (
  hierarchy: Hierarchy,
  options: { readonly root: string | null; readonly before: Tops },
  name: string
): Effect.Effect<Base, Folder.Obstacle, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const top = topOf(hierarchy, options, name)
        const path = `${top}/${name}`
        const made: Array<string> = []
        for (const folder of steps(hierarchy.mount, path)) {
          const obstacle = Folder.make(folder)
          if (obstacle === undefined) made.push(folder)
          else if (obstacle.code !== "EEXIST") {
            takeAway(made)
            return Effect.fail(obstacle)
          }
        }
        for (const leftover of Folder.inside(path)) Folder.remove(leftover)
        return Effect.succeed({ base: { hierarchy, top, path }, made })
      }),
      ({ base, made }) =>
        Effect.sync(() => {
          Folder.remove(base.path)
          takeAway(made)
        })
    ),
    ({ base }) => base
  )

const enabledIn = (folder: string): ReadonlyArray<string> =>
  (Folder.read(`${folder}/cgroup.subtree_control`) ?? "").trim().split(" ")

/**
 * Lets the cgroups in a folder of version 2 be limited, by as many of `wanted` as can be had; the others are returned
 * with what is in their way. A cgroup whose children are limited holds no processes itself, so the supervisor moves
 * into one of its own if it is in that very cgroup.
 */
export const delegate = (
  { hierarchy, path, top }: Base,
  wanted: ReadonlyArray<Controller>
): Effect.Effect<ReadonlyMap<Controller, Folder.Obstacle>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const leafPath = `${path}/${leaf}`
        const obstacles = new Map<Controller, Folder.Obstacle>()
        const enabled: Array<readonly [string, Controller]> = []
        let moved = false
        const enable = (folder: string, controller: Controller): Folder.Obstacle | undefined => {
          if (enabledIn(folder).includes(controller)) return undefined
          const obstacle = Folder.write(`${folder}/cgroup.subtree_control`, `+${controller}`)
          if (obstacle === undefined) enabled.push([folder, controller])
          return obstacle
        }
        const move = (): boolean => {
          if (moved || hierarchy.own !== top) return false
          Folder.make(leafPath)
          moved = Folder.write(`${leafPath}/cgroup.procs`, String(process.pid)) === undefined
          return moved
        }
        for (const controller of wanted) {
          let obstacle = enable(top, controller)
          if (obstacle?.code === "EBUSY" && move()) obstacle = enable(top, controller)
          obstacle ??= enable(path, controller)
          if (obstacle !== undefined) obstacles.set(controller, obstacle)
        }
        const undo = () => {
          for (const [folder, controller] of enabled.toReversed()) {
            Folder.write(`${folder}/cgroup.subtree_control`, `-${controller}`)
          }
          // With the helpers that it has started, which may end a little later.
          for (const pid of moved ? Folder.members(leafPath) : []) Folder.write(`${top}/cgroup.procs`, String(pid))
          Folder.remove(leafPath)
        }
        // Others are in our cgroup, and it was of no use to leave it.
        if (moved && !enabled.some(([folder]) => folder === top)) undo()
        return { obstacles, undo }
      }),
      ({ undo }) => Effect.sync(undo)
    ),
    ({ obstacles }) => obstacles
  )
