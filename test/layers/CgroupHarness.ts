/** Cgroups of a test's own, under a root that is gone with the layer. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { unlimited } from "../../src/domain/Config.ts"
import { InstanceName } from "../../src/domain/Names.ts"
import * as Cgroups from "../../src/layers/Cgroups.ts"
import * as Hierarchies from "../../src/layers/internal/cgroups/hierarchies.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as Store from "../../src/layers/Store.ts"

/** Short for the modes that a machine can have. */
export type Mode = Exclude<Cgroups.Mode, "none">

let count = 0

/** A root that nobody else has, and a `data_dir` to be named after. */
export const options = (): Cgroups.Options => ({
  dataDir: Fs.mkdtempSync(Path.join(Os.tmpdir(), "tnt-cg-")),
  root: `/tenement-test-${process.pid}-${++count}`
})

const removing = (dataDir: string) =>
  Layer.scopedDiscard(
    Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(dataDir, { recursive: true, force: true })))
  )

const layers = { v1: Cgroups.v1, v2: Cgroups.v2, hybrid: Cgroups.hybrid }

export const layerOf = (mode: Mode, given = options()): Layer.Layer<Cgroups.Cgroups> =>
  Layer.orDie(layers[mode](given)).pipe(
    Layer.provide(Store.memory),
    Layer.provideMerge(removing(given.dataDir))
  )

/** Launches every process in a cgroup of its own. */
export const launching: Layer.Layer<Launcher.Launcher, never, Cgroups.Cgroups> = Layer.map(
  Layer.merge(Launcher.layer, Layer.effectContext(Effect.context<Cgroups.Cgroups>())),
  (context) => {
    const { adopt, launch, prepare } = Context.get(context, Launcher.Launcher)
    const { make } = Context.get(context, Cgroups.Cgroups)
    return Context.make(Launcher.Launcher, {
      adopt,
      prepare,
      launch: (spec) =>
        Effect.flatMap(
          Effect.orDie(make({ instance: InstanceName.make(`test:n${++count}`), beside: null }, unlimited)),
          (cgroup) => launch({ ...spec, cgroup })
        )
    })
  }
)

const possible = (mode: Mode): boolean => {
  const hierarchies = Hierarchies.find().filter(({ mount }) => {
    try {
      Fs.accessSync(mount, Fs.constants.W_OK)
      return true
    } catch {
      return false
    }
  })
  const has = (version: 1 | 2) => hierarchies.some((hierarchy) => hierarchy.version === version)
  return mode === "hybrid" ? has(1) && has(2) : has(mode === "v1" ? 1 : 2)
}

/** Whether limits can be tried in this mode. */
export const canLimit = (mode: Mode): boolean =>
  mode !== "v2" ||
  Hierarchies.find().some(({ mount, version }) =>
    version === 2 && Fs.readFileSync(`${mount}/cgroup.controllers`, "utf8").includes("memory")
  )

/**
 * The modes that can be tried on this machine. On a developer's own it may be none: the tests that need one say so. Whoever
 * runs all of them says `CI=true`, and gets a failure instead.
 */
export const modes = (["v2", "v1", "hybrid"] as const).filter(possible)

export const skipped = modes.length === 0 && process.env["CI"] !== "true"
  ? " (skipped: no cgroup tree can be written here; run as root, or in a delegated cgroup)"
  : ""
