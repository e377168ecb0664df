/** @internal */
import * as Path from "node:path"
import type { Identity } from "../accounts.ts"
import * as View from "./view.ts"

type Mount = View.Mount

/** A sandbox of bubblewrap. */
export interface Sandbox {
  readonly bwrap: string
  readonly setpriv: string
  readonly view: View.View
  readonly hostname: string
  readonly cwd: string
  readonly network: "host" | "none"
  /** Capabilities that the program holds; only root has any to give. */
  readonly capabilities: ReadonlyArray<string>
  /** Whom the program runs as; null for who runs the supervisor. */
  readonly identity: Identity | null
  /** Whether root runs it. Others need a user namespace, in which they are who they were. */
  readonly asRoot: boolean
  readonly exists: (path: string) => boolean
}

// What the kernel tells of all its processes, devices and memory.
const maskedProc = [
  "kallsyms",
  "kcore",
  "keys",
  "kmsg",
  "kpagecgroup",
  "kpagecount",
  "kpageflags",
  "latency_stats",
  "sched_debug",
  "slabinfo",
  "sysrq-trigger",
  "timer_list",
  "timer_stats",
  "vmallocinfo"
].map((name) => `/proc/${name}`)

const hiddenProc = ["acpi", "asound", "bus", "fs", "irq", "scsi"].map((name) => `/proc/${name}`)

const mask = (path: string) => ["--ro-bind", "/dev/null", path]

const seal = (path: string) => ["--remount-ro", path]

const hide = (path: string) => ["--tmpfs", path]

const scratch = (
  path: string,
  megabytes: number
) => ["--perms", "1777", "--size", String(megabytes << 20), "--tmpfs", path]

const mount = (one: Mount): ReadonlyArray<string> => {
  switch (one._tag) {
    case "Hidden":
      return hide(one.path)
    case "Masked":
      return mask(one.path)
    case "Scratch":
      return scratch(one.path, one.megabytes)
    case "Link":
      return ["--symlink", one.target, one.path]
    case "Shown":
      return [one.writable ? "--bind" : "--ro-bind", one.path, one.path]
  }
}

const foldersAbove = (path: string): ReadonlyArray<string> =>
  path === "/" ? [] : [...foldersAbove(Path.dirname(path)), Path.dirname(path)]

// Folders that lead to what is shown in an empty one; those that bubblewrap makes itself only root could pass through.
const ways = ({ base, mounts }: View.View, { path }: Mount): ReadonlyArray<string> => {
  const empty = mounts.filter(({ _tag }) => _tag === "Hidden" || _tag === "Scratch").map((one) => one.path)
  const covered = base === "host" ? empty : ["/", ...empty]
  const isBelow = (folder: string) => covered.some((empty) => empty !== folder && View.within(empty)(folder))
  return foldersAbove(path).flatMap((folder) => isBelow(folder) ? ["--perms", "0755", "--dir", folder] : [])
}

const fileSystem = ({ exists, view }: Sandbox): ReadonlyArray<string> => {
  const there = hiddenProc.filter(exists)
  return [
    ...view.base === "host" ? ["--ro-bind", "/", "/"] : [],
    "--dev",
    "/dev",
    ...scratch("/dev/shm", View.scratchMegabytes),
    "--remount-ro",
    "/dev",
    "--proc",
    "/proc",
    ...maskedProc.filter(exists).flatMap(mask),
    ...there.flatMap(hide),
    // Not even root's own user may set anything of the kernel's, as it could without any capability.
    ...[...there, "/proc"].flatMap(seal),
    ...view.mounts.flatMap((one) => [...ways(view, one), ...mount(one)]),
    ...view.mounts.flatMap((one) => one._tag === "Hidden" ? seal(one.path) : []),
    ...view.base === "host" ? [] : seal("/")
  ]
}

// What `setpriv` itself needs to hand everything over.
const passing = ["CAP_SETPCAP", "CAP_SETUID", "CAP_SETGID"]

const dropping = ({ capabilities, identity, setpriv }: Sandbox): ReadonlyArray<string> => {
  const kept = ["-all", ...capabilities.map((name) => `+${name.replace(/^CAP_/, "").toLowerCase()}`)].join(",")
  return [
    setpriv,
    `--bounding-set=${kept}`,
    `--inh-caps=${kept}`,
    `--ambient-caps=${kept}`,
    ...identity === null
      ? ["--clear-groups"]
      : [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, `--groups=${identity.groups.join(",")}`],
    "--"
  ]
}

/** The command line that puts `words` into the sandbox, as its first process; the seccomp program is on descriptor 3. */
export const argv = (sandbox: Sandbox, words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { asRoot, bwrap, capabilities, cwd, hostname, network } = sandbox
  return [
    bwrap,
    "--unshare-pid",
    "--as-pid-1",
    "--unshare-ipc",
    "--unshare-cgroup",
    "--unshare-uts",
    "--hostname",
    hostname,
    ...network === "none" ? ["--unshare-net"] : [],
    ...asRoot ? [] : ["--unshare-user", "--disable-userns"],
    "--seccomp",
    "3",
    "--cap-drop",
    "ALL",
    ...asRoot ? [...new Set([...passing, ...capabilities])].flatMap((name) => ["--cap-add", name]) : [],
    ...fileSystem(sandbox),
    "--chdir",
    cwd,
    "--",
    ...asRoot ? dropping(sandbox) : [],
    ...words
  ]
}
