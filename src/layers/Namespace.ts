/**
 * Namespaces of an instance's own, by bubblewrap.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { codeOf } from "../internal/errno.ts"
import type { Endpoint } from "./Endpoint.ts"
import { hasListener } from "./internal/chain.ts"
import * as Bubblewrap from "./internal/isolation/bubblewrap.ts"
import * as Enclosure from "./internal/isolation/enclosure.ts"
import * as Report from "./internal/isolation/report.ts"
import * as Tools from "./internal/isolation/tools.ts"
import * as UserNamespaces from "./internal/isolation/userNamespaces.ts"
import * as Filter from "./internal/seccomp/filter.ts"
import type { Isolation } from "./Isolation.ts"
import * as LauncherExec from "./LauncherExec.ts"
import type { LaunchSpec } from "./Process.ts"

// Opens what bubblewrap (3) and the first process inside (4) find open, and becomes bubblewrap. The program's own socket
// (3, up to here) is 5 until then.
const opening = (filter: string, report: string, isHanded: boolean): ReadonlyArray<string> => [
  "/bin/sh",
  "-c",
  `exec ${isHanded ? "5<&3 " : ""}3<"$1" 4>"$2"; shift 2; exec "$@"`,
  "sh",
  filter,
  report
]

const tools = ["bwrap", "setpriv", "perl"] as const

const isRoot = () => process.getuid?.() === 0

const advice = (): string => {
  if (isRoot()) {
    return "The supervisor needs CAP_SYS_ADMIN and a kernel with namespaces; in a container, neither is there by default."
  }
  const forbidden = UserNamespaces.obstacle()
  return forbidden === undefined
    ? "Run the supervisor as root."
    : `Run the supervisor as root, or allow user namespaces: ${forbidden.mend}`
}

/** Whether bubblewrap can do here what it is needed for. */
const attempt = (
  found: Readonly<Record<typeof tools[number], string>>,
  filter: string
): Effect.Effect<void, Tools.Lack> => {
  const bare = Bubblewrap.argv({
    ...found,
    view: { base: "host", mounts: [] },
    hostname: "localhost",
    cwd: "/",
    identity: null,
    network: "none",
    capabilities: [],
    asRoot: isRoot(),
    exists: Fs.existsSync
  }, ["true"])
  const [shell = "", ...args] = [...opening(filter, "/dev/null", false), ...bare]
  return LauncherExec.exec(shell, ...args).pipe(
    Effect.mapError(({ detail }) => ({
      missing: `the kernel refuses what bubblewrap asks of it (${detail})`,
      advice: advice()
    })),
    Effect.asVoid
  )
}

const temporaryFolder = Effect.acquireRelease(
  Effect.try({
    try: () => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-")),
    catch: (error): Tools.Lack => ({
      missing: `it cannot be tried: no folder can be made in ${Os.tmpdir()} (${codeOf(error)})`,
      advice: "Make sure that it can be written to, or set TMPDIR."
    })
  }),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)

/**
 * Fails with what keeps this machine from it, if anything does.
 *
 * @since 0.1.0
 * @category combinators
 */
export const examine: Effect.Effect<void, Tools.Lack> = Effect.scoped(Effect.gen(function*() {
  const found = Tools.find(tools)
  if ("missing" in found) return yield* Effect.fail(found)
  const folder = yield* temporaryFolder
  yield* attempt(found, yield* Filter.inFolder(folder)([]))
}))

/** Tried once, until it works. */
const trial = () => {
  const turn = Effect.unsafeMakeSemaphore(1)
  let works = false
  return (...how: Parameters<typeof attempt>): Effect.Effect<void, Tools.Lack> =>
    turn.withPermits(1)(
      Effect.suspend(() =>
        works ? Effect.void : Effect.tap(attempt(...how), () => Effect.sync(() => void (works = true)))
      )
    )
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
    prepare: Effect.fn("Namespace.prepare")(function*(spec: LaunchSpec, endpoint: Endpoint) {
      const unavailable = Enclosure.unavailable(spec, config.isolation)
      const found = Tools.find(tools)
      if ("missing" in found) return yield* Effect.fail(unavailable(found))
      const enclosure = yield* Enclosure.make(config.isolation, settings, config, spec, endpoint)
      const { cwd, hostname, identity, program, view } = enclosure
      const sandbox: Bubblewrap.Sandbox = {
        ...found,
        view,
        hostname,
        cwd,
        identity,
        network: config.network,
        capabilities: config.capabilities,
        asRoot: isRoot(),
        exists: Fs.existsSync
      }
      const filter = yield* Effect.mapError(filterFor(config.capabilities), unavailable)
      yield* Effect.mapError(check(found, filter), unavailable)
      const report = enclosure.file("exit")
      const { args, argv0, file } = program
      const isHanded = hasListener(spec)
      const inside = [
        found.perl,
        "-e",
        Report.init,
        "&=4",
        isHanded ? "5" : "",
        spec.instance,
        file,
        argv0,
        ...args
      ]
      return {
        ...spec,
        argv: [...opening(filter, report, isHanded), ...Bubblewrap.argv(sandbox, inside)],
        env: Report.pack(spec.env),
        cwd: "/",
        user: null,
        group: null,
        wrapper: { report, depth: 2 }
      }
    })
  })
}
