/**
 * Namespaces of an instance's own, by bubblewrap.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { ToolFailed } from "./Errors.ts"
import * as Bubblewrap from "./internal/isolation/bubblewrap.ts"
import * as Enclosure from "./internal/isolation/enclosure.ts"
import * as Report from "./internal/isolation/report.ts"
import * as Tools from "./internal/isolation/tools.ts"
import * as Filter from "./internal/seccomp/filter.ts"
import type { Isolation } from "./Isolation.ts"
import * as LauncherExec from "./LauncherExec.ts"
import type { LaunchSpec } from "./Process.ts"

// Opens what bubblewrap (3) and the first process inside (4) find open, and becomes bubblewrap.
const opening = (filter: string, report: string): ReadonlyArray<string> => [
  "/bin/sh",
  "-c",
  `exec 3<"$1" 4>"$2"; shift 2; exec "$@"`,
  "sh",
  filter,
  report
]

const lackOf = ({ detail }: ToolFailed, asRoot: boolean): Tools.Lack => ({
  missing: `the kernel refuses what bubblewrap asks of it (${detail})`,
  advice: asRoot
    ? "The supervisor needs CAP_SYS_ADMIN and a kernel with namespaces; in a container, neither is there by default."
    : "Run the supervisor as root, or allow user namespaces: sysctl -w user.max_user_namespaces=10000 " +
      "kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (those that this kernel has)."
})

/** Whether bubblewrap can do here what it is needed for. Asked once, until the answer is yes. */
const trial = () => {
  const turn = Effect.unsafeMakeSemaphore(1)
  let works = false
  return (sandbox: Bubblewrap.Sandbox, filter: string): Effect.Effect<void, Tools.Lack> =>
    turn.withPermits(1)(Effect.suspend(() => {
      if (works) return Effect.void
      const bare = Bubblewrap.argv({ ...sandbox, view: [], cwd: "/", network: "none" }, ["true"])
      const [shell = "", ...args] = [...opening(filter, "/dev/null"), ...bare]
      return LauncherExec.exec(shell, ...args).pipe(
        Effect.mapError((failure) => lackOf(failure, sandbox.asRoot)),
        Effect.zipRight(Effect.sync(() => void (works = true)))
      )
    }))
}

/**
 * Isolation by bubblewrap for services of these settings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (settings: Settings) => {
  const check = trial()
  const filterFor = Filter.inFolder(Enclosure.folderOf(settings))
  return (config: ServiceConfig): Context.Tag.Service<Isolation> => ({
    level: config.isolation,
    prepare: Effect.fn("Namespace.prepare")(function*(spec: LaunchSpec, endpoint: Endpoint) {
      const unavailable = Enclosure.unavailable(spec, config.isolation)
      const tools = Tools.find(["bwrap", "setpriv", "perl"])
      if ("missing" in tools) return yield* Effect.fail(unavailable(tools))
      const enclosure = yield* Enclosure.make(config.isolation, settings, config, spec, endpoint)
      const { cwd, hostname, identity, program, view } = enclosure
      const sandbox: Bubblewrap.Sandbox = {
        ...tools,
        view,
        hostname,
        cwd,
        identity,
        network: config.network,
        capabilities: config.capabilities,
        asRoot: process.getuid?.() === 0,
        exists: Fs.existsSync
      }
      const filter = yield* Effect.mapError(filterFor(config.capabilities), unavailable)
      yield* Effect.mapError(check(sandbox, filter), unavailable)
      const report = enclosure.file("exit")
      const { args, argv0, file } = program
      const inside = [tools.perl, "-e", Report.init, spec.instance, file, argv0, ...args]
      return {
        ...spec,
        argv: [...opening(filter, report), ...Bubblewrap.argv(sandbox, inside)],
        env: Report.pack(spec.env),
        cwd: "/",
        user: null,
        group: null,
        wrapper: { report, depth: 2 }
      }
    })
  })
}
