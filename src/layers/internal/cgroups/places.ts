/** @internal */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Base from "./base.ts"
import type { Obstacle } from "./folder.ts"
import type { Hierarchy } from "./hierarchies.ts"
import { type Controller, controllers } from "./limits.ts"

/** Where the cgroups of runs are made. */
export interface Places {
  readonly reason: string
  /** The one that says what lives, and kills. */
  readonly tracking: Base.Base
  /** The one that counts CPU time; `undefined` where none does. */
  readonly counting: Base.Base | undefined
  readonly limiting: ReadonlyMap<Controller, Base.Base>
  /** What keeps the other controllers from being used. */
  readonly obstacles: ReadonlyMap<Controller, Obstacle>
  /** All of them, each once. */
  readonly bases: ReadonlyArray<Base.Base>
}

type Mode = "v2" | "v1" | "hybrid"

const version2 = (hierarchies: ReadonlyArray<Hierarchy>) => hierarchies.find(({ version }) => version === 2)

const version1 = (hierarchies: ReadonlyArray<Hierarchy>, controller: string) =>
  hierarchies.find((hierarchy) => hierarchy.version === 1 && hierarchy.controllers.includes(controller))

/** What to try, best first. */
export const candidates = (hierarchies: ReadonlyArray<Hierarchy>): ReadonlyArray<Mode> => {
  const modes: Array<Mode> = []
  const limitsByVersion1 = controllers.some((controller) => version1(hierarchies, controller) !== undefined)
  if (version2(hierarchies) !== undefined) modes.push(limitsByVersion1 ? "hybrid" : "v2")
  if (hierarchies.some(({ version }) => version === 1)) modes.push("v1")
  return modes
}

interface Plan {
  readonly tracking: Hierarchy | undefined
  readonly counting: Hierarchy | undefined
  readonly limiting: (controller: Controller) => Hierarchy | undefined
}

const planFor = (mode: Mode, hierarchies: ReadonlyArray<Hierarchy>): Plan => {
  const unified = version2(hierarchies)
  const old = (controller: string) => version1(hierarchies, controller)
  switch (mode) {
    case "v2":
      return { tracking: unified, counting: unified, limiting: () => unified }
    case "hybrid":
      return { tracking: unified, counting: unified, limiting: (controller) => old(controller) ?? unified }
    case "v1":
      return {
        // The freezer, since only it can hold a tree still; any other still knows what lives.
        tracking: old("freezer") ?? hierarchies.find(({ version }) => version === 1),
        counting: old("cpuacct"),
        limiting: old
      }
  }
}

/**
 * The name of the supervisor's folder. Within one boot a folder of that name is of this `data_dir` and no other, so of
 * this supervisor or of one that held the same lock.
 */
const nameFor = (dataDir: string): string => {
  Fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const { dev, ino } = Fs.statSync(dataDir)
  return `tenement-${Crypto.createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 12)}`
}

const sayWhy = (mode: Mode, { limiting, tracking }: Pick<Places, "limiting" | "tracking">): string => {
  const by = (version: 1 | 2) =>
    [...limiting].filter(([, { hierarchy }]) => hierarchy.version === version).map(([controller]) => controller)
  const limits = ([1, 2] as const)
    .map((version) => [version, by(version)] as const)
    .filter(([, names]) => names.length > 0)
    .map(([version, names]) => `${names.join(", ")} limited by version ${version}`)
  const tracked = mode === "v1"
    ? `no cgroup of version 2 can be made here: processes are tracked at ${tracking.path}`
    : `processes are tracked at ${tracking.path}`
  return [tracked, ...(limits.length === 0 ? ["nothing can be limited"] : limits)].join("; ")
}

/** The places of a mode, for as long as the scope lives. Fails where nothing could be tracked. */
export const open = (
  mode: Mode,
  hierarchies: ReadonlyArray<Hierarchy>,
  options: { readonly dataDir: string; readonly root: string | null; readonly before: Base.Tops }
): Effect.Effect<Places, Obstacle, Scope.Scope> =>
  Effect.gen(function*() {
    const plan = planFor(mode, hierarchies)
    const absent: Obstacle = { path: "/sys/fs/cgroup", code: "ENOENT" }
    if (plan.tracking === undefined) return yield* Effect.fail(absent)
    const name = nameFor(options.dataDir)
    const opened = new Map<Hierarchy, Base.Base>()
    const openOnce = (hierarchy: Hierarchy) =>
      Effect.suspend(() => {
        const known = opened.get(hierarchy)
        return known !== undefined
          ? Effect.succeed(known)
          : Effect.tap(
            Base.open(hierarchy, options, name),
            (base) => Effect.sync(() => opened.set(hierarchy, base))
          )
      })
    const tracking = yield* openOnce(plan.tracking)
    const limiting = new Map<Controller, Base.Base>()
    const obstacles = new Map<Controller, Obstacle>()
    for (const controller of controllers) {
      const hierarchy = plan.limiting(controller)
      const base = hierarchy === undefined
        ? { _tag: "Left" as const, left: { ...absent, path: `${absent.path}/${controller}` } }
        : yield* Effect.either(openOnce(hierarchy))
      if (base._tag === "Left") obstacles.set(controller, base.left)
      else limiting.set(controller, base.right)
    }
    const toDelegate = [...limiting].filter(([, { hierarchy }]) => hierarchy.version === 2)
    if (toDelegate.length > 0) {
      for (
        const [controller, obstacle] of yield* Base.delegate(
          tracking,
          toDelegate.map(([controller]) => controller)
        )
      ) {
        limiting.delete(controller)
        obstacles.set(controller, obstacle)
      }
    }
    const counting = plan.counting === undefined
      ? undefined
      : yield* Effect.orElseSucceed(openOnce(plan.counting), () => undefined)
    return {
      reason: sayWhy(mode, { limiting, tracking }),
      tracking,
      counting,
      limiting,
      obstacles,
      bases: [...opened.values()]
    }
  })
