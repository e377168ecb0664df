/**
 * A kernel of an instance's own, by gVisor.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { codeOf } from "../internal/errno.ts"
import type { Endpoint } from "./Endpoint.ts"
import { LaunchFailed, type ToolFailed } from "./Errors.ts"
import * as Enclosure from "./internal/isolation/enclosure.ts"
import * as Oci from "./internal/isolation/oci.ts"
import * as Report from "./internal/isolation/report.ts"
import * as Tools from "./internal/isolation/tools.ts"
import * as Trial from "./internal/isolation/trial.ts"
import type { View } from "./internal/isolation/view.ts"
import type { Isolation } from "./Isolation.ts"
import * as LauncherExec from "./LauncherExec.ts"
import type { LaunchSpec } from "./Process.ts"

// How gVisor gets hold of a program's system calls: the first is quicker, and newer than some distributions.
const platforms = ["systrap", "ptrace"] as const

const lackOf = ({ detail }: ToolFailed): Tools.Lack => ({
  missing: `gVisor does not run here (${detail})`,
  advice: "It needs root and the right to trace processes; sandbox_runtime = \"bubblewrap\" needs less."
})

/**
 * The platform that works here.
 *
 * @internal
 */
export const platform: Effect.Effect<string, Tools.Lack> = Effect.suspend(() => {
  const tools = Tools.find(["runsc"])
  if ("missing" in tools) return Effect.fail(tools)
  return Effect.firstSuccessOf(
    platforms.map((name) =>
      LauncherExec.exec(tools.runsc, `--platform=${name}`, "--network=none", "do", "true").pipe(
        Effect.as(name),
        Effect.mapError(lackOf)
      )
    )
  )
})

/** Makes the places that are mounted on, and the links between them. */
const makeRoot = (root: string, { mounts }: View): void => {
  const made = new Set<string>()
  for (const mount of mounts) {
    const place = root + mount.path
    // What is within another mount has its place there.
    if ([...made].some((path) => mount.path.startsWith(`${path}/`))) continue
    Fs.mkdirSync(Path.dirname(place), { recursive: true, mode: 0o755 })
    if (mount._tag === "Link") Fs.symlinkSync(mount.target, place)
    else if (Fs.statSync(mount.path).isDirectory()) Fs.mkdirSync(place, { recursive: true, mode: 0o755 })
    else Fs.writeFileSync(place, "")
    made.add(mount.path)
  }
  for (const folder of ["proc", "sys", "dev"]) Fs.mkdirSync(`${root}/${folder}`, { recursive: true })
}

/**
 * Isolation by gVisor for services of these settings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (settings: Settings) => {
  const found = Trial.once(platform)
  return (config: ServiceConfig): Context.Tag.Service<Isolation> => ({
    prepare: Effect.fn("Gvisor.prepare")(function*(spec: LaunchSpec, endpoint: Endpoint) {
      const unavailable = Enclosure.unavailable(spec, config.isolation)
      const tools = Tools.find(["runsc", "perl"])
      if ("missing" in tools) return yield* Effect.fail(unavailable(tools))
      const enclosure = yield* Enclosure.make(config.isolation, settings, config, spec, endpoint)
      const works = yield* Effect.mapError(found, unavailable)
      const { cwd, hostname, identity, program, view } = enclosure
      const { args, argv0, file } = program
      const bundle = enclosure.file("bundle")
      const report = `${bundle}/exit`
      const nothing = `${bundle}/nothing`
      const root = `${bundle}/root`
      const seen: View = { ...view, mounts: [...view.mounts, { _tag: "Shown", path: report, writable: true }] }
      yield* Effect.try({
        try: () => {
          // What a supervisor that was killed has left is not this run's.
          Fs.rmSync(bundle, { recursive: true, force: true })
          Fs.mkdirSync(root, { recursive: true, mode: 0o755 })
          Fs.writeFileSync(nothing, "", { mode: 0 })
          Fs.writeFileSync(report, "", { mode: 0o600 })
          if (identity !== null) Fs.chownSync(report, identity.uid, identity.gid)
          makeRoot(root, seen)
          const described = Oci.config({
            words: [tools.perl, "-e", Report.init, report, "", spec.instance, file, argv0, ...args],
            env: Report.pack(spec.env),
            cwd,
            identity,
            hostname,
            view: seen,
            root,
            nothing
          })
          Fs.writeFileSync(`${bundle}/config.json`, JSON.stringify(described), { mode: 0o600 })
        },
        catch: (error) =>
          new LaunchFailed({
            instance: spec.instance,
            code: codeOf(error),
            what: `its sandbox cannot be prepared in ${bundle}`,
            advice: "Make sure that data_dir can be written to."
          })
      })
      const container = `${hostname}-${spec.incarnation}`
      const state = `--root=${bundle}/state`
      return {
        ...spec,
        argv: [
          tools.runsc,
          state,
          `--platform=${works}`,
          `--network=${config.network}`,
          "--host-uds=create",
          "--ignore-cgroups",
          "run",
          `--bundle=${bundle}`,
          container
        ],
        env: {},
        cwd: "/",
        user: null,
        group: null,
        wrapper: {
          report,
          depth: 0,
          signal: [tools.runsc, state, "kill", container]
        }
      }
    })
  })
}
