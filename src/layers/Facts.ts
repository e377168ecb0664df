/**
 * Looks at the machine: what it has, and what of a configuration it could not run. Nothing that is tried leaves a trace.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import type { Settings, TenementConfig } from "../domain/Config.ts"
import { type Fact, has, type HostFacts, lacks, type NamedFact } from "../domain/HostFacts.ts"
import { unless } from "../internal/errno.ts"
import { systemPath } from "../internal/systemPath.ts"
import * as Cgroups from "./Cgroups.ts"
import * as Gvisor from "./Gvisor.ts"
import * as Accounts from "./internal/accounts.ts"
import * as Executable from "./internal/executable.ts"
import * as Clock from "./internal/facts/clock.ts"
import * as Folders from "./internal/facts/folders.ts"
import * as Launches from "./internal/facts/launches.ts"
import * as UserNamespaces from "./internal/isolation/userNamespaces.ts"
import * as PrivatePath from "./internal/privatePath.ts"
import * as Namespace from "./Namespace.ts"
import * as Store from "./Store.ts"

const isRoot = (): boolean => process.geteuid?.() === 0

const machine = (): Fact => {
  if (!Fs.existsSync("/proc/self/stat")) return lacks("/proc is not mounted", "mount -t proc proc /proc")
  const memory = (Os.totalmem() / 1024 ** 3).toFixed(1)
  const user = Accounts.accountOf(null)?.[0] ?? `user ${process.geteuid?.()}`
  return has(
    `Linux ${Os.release()}, Node ${process.versions.node}, ${Os.availableParallelism()} cores, ${memory} GiB of memory, ` +
      `as ${user}`
  )
}

const tool = (name: string, parcel: string): Fact => {
  const found = Executable.find(name, "/", systemPath)
  return typeof found === "string"
    ? has(found)
    : lacks(`${name} is not installed, or in none of ${systemPath}`, `apt-get install ${parcel}`)
}

const otherUsers = (): Fact => {
  const setpriv = tool("setpriv", "util-linux")
  return setpriv._tag === "Has" && !isRoot() ? has(`${setpriv.what}, which only root can use`) : setpriv
}

const userNamespaces = (): Fact => {
  const forbidden = UserNamespaces.obstacle()
  return forbidden === undefined
    ? has("allowed to every user")
    : lacks(`allowed to root alone: ${forbidden.what}`, forbidden.mend)
}

const namespaces = Effect.match(Namespace.examine, {
  onFailure: ({ advice, missing }) => lacks(missing, advice),
  onSuccess: () => has("by bubblewrap")
})

const gvisor = Effect.match(Gvisor.platform, {
  onFailure: ({ advice, missing }) => lacks(missing, advice),
  onSuccess: (platform) => has(`by runsc, on its platform ${platform}`)
})

/** What a supervisor would find that is started where this runs, below the cgroup `root` or its own. */
const cgroups = (root: string | null) =>
  Effect.gen(function*() {
    // They are named after the folder of data: with one of its own, this trial meets no supervisor's.
    const dataDir = yield* Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-"))),
      (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
    )
    const { facts } = Context.get(
      yield* Layer.build(Layer.provide(Cgroups.auto({ dataDir, root }), Store.memory)),
      Cgroups.Cgroups
    )
    const limits = (controller: Cgroups.Controller): Fact => {
      const missing = facts.missing.get(controller)
      return missing === undefined ? has("by cgroups") : lacks(missing.what, missing.advice)
    }
    return {
      cgroups: facts.mode === "none"
        ? lacks(facts.reason, "without them a tree of processes is known by its session, and has no limits")
        : has(`${facts.mode}: ${facts.reason}`),
      "memory limits": limits("memory"),
      "CPU limits": limits("cpu"),
      "pids limits": limits("pids")
    }
  }).pipe(Effect.scoped)

const openFiles = (): number => {
  // Node raises its own limit to the hard one when it starts.
  const limits = unless(["ENOENT"], () => Fs.readFileSync("/proc/self/limits", "utf8")) ?? ""
  const limit = /^Max open files +\d+ +(\d+)/m.exec(limits)?.[1]
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
}

/**
 * The machine, as whoever runs this has it. `cgroupRoot` is the cgroup to work in; `null` is the one that this runs in.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofHost = Effect.fn("Facts.ofHost")(function*(cgroupRoot: string | null) {
  const facts: HostFacts = {
    abilities: {
      machine: machine(),
      clock: yield* Clock.look,
      logs: tool("mkfifo", "coreutils"),
      "other users": otherUsers(),
      sd_notify: tool("perl", "perl-base"),
      namespaces: yield* namespaces,
      "user namespaces": userNamespaces(),
      gVisor: yield* gvisor,
      ...yield* cgroups(cgroupRoot)
    },
    openFiles: openFiles()
  }
  return facts
})

const runDir = (settings: Settings): Fact => {
  const root = PrivatePath.rootOf(settings)
  const found = unless(["ENOTDIR", "EACCES"], () => Fs.lstatSync(root, { throwIfNoEntry: false }))
  return found === undefined || PrivatePath.isOurs(found)
    ? Folders.look(settings.runDir, "run_dir")
    : lacks(`others than this user can change ${root}`, `rm -r ${root}`)
}

const controlSocket = ({ socket }: Settings): Fact => {
  const found = unless(["ENOTDIR", "EACCES"], () => Fs.lstatSync(socket, { throwIfNoEntry: false }))
  return found === undefined || found.isSocket()
    ? Folders.look(Path.dirname(socket), "socket")
    : lacks(`what is at ${socket} is not a socket`, "set another socket in [settings], or move away what is there")
}

/** The same of several services is said once. */
const together = (facts: ReadonlyArray<NamedFact>): ReadonlyArray<NamedFact> => {
  const known = new Map<string, NamedFact>()
  for (const one of facts) {
    const key = `${one.about} ${one.fact.what}`
    const services = new Set([...known.get(key)?.services ?? [], ...one.services])
    known.set(key, { ...one, services: [...services] })
  }
  return [...known.values()]
}

/**
 * What a configuration names: folders, users, programs.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofConfig = Effect.fn("Facts.ofConfig")(({ services, settings }: TenementConfig) =>
  Effect.sync((): ReadonlyArray<NamedFact> => {
    const everybody = [...services.keys()]
    const met = [...services.values()].flatMap((service) =>
      Launches.obstacles(settings, service).map(([about, fact]) => ({ about, fact, services: [service.name] }))
    )
    return [
      { about: "data_dir", fact: Folders.look(settings.dataDir, "data_dir"), services: everybody },
      { about: "run_dir", fact: runDir(settings), services: everybody },
      { about: "control socket", fact: controlSocket(settings), services: everybody },
      ...together(met)
    ]
  })
)
