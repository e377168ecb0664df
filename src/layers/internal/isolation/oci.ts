/** @internal */
import type { Identity } from "../accounts.ts"
import { type Mount, scratchMegabytes, type View } from "./view.ts"

/** What a bundle of the Open Container Initiative says of a container, as far as gVisor heeds it. */
export interface Container {
  readonly words: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly identity: Identity | null
  readonly hostname: string
  readonly view: View
  /** The folder that is its root, in which there is a place for each mount. */
  readonly root: string
  /** An empty file. */
  readonly nothing: string
}

interface MountSpec {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: ReadonlyArray<string>
}

const memory = (destination: string, ...options: ReadonlyArray<string>): MountSpec => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options
})

const bind = (source: string, destination: string, access: "ro" | "rw"): MountSpec => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", access, "nosuid", "nodev"]
})

const scratch = (path: string, megabytes: number) => memory(path, "mode=1777", `size=${megabytes}m`, "nosuid", "nodev")

const mount = (nothing: string) => (one: Mount): ReadonlyArray<MountSpec> => {
  switch (one._tag) {
    case "Hidden":
      return [memory(one.path, "ro", "mode=0755")]
    case "Scratch":
      return [scratch(one.path, one.megabytes)]
    case "Masked":
      return [bind(nothing, one.path, "ro")]
    case "Shown":
      return [bind(one.path, one.path, one.writable ? "rw" : "ro")]
    case "Link":
      return []
  }
}

// A user and a mount namespace gVisor makes for itself, a network it does without.
const namespaces = ["pid", "network", "ipc", "uts", "mount"]

const capabilitySets = ["bounding", "effective", "inheritable", "permitted", "ambient"]

/** The content of `config.json`. */
export const config = ({ cwd, env, hostname, identity, nothing, root, view, words }: Container) => ({
  ociVersion: "1.0.2",
  hostname,
  root: { path: root, readonly: true },
  process: {
    terminal: false,
    user: identity === null
      ? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
      : { uid: identity.uid, gid: identity.gid, additionalGids: identity.groups },
    args: words,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd,
    noNewPrivileges: true,
    capabilities: Object.fromEntries(capabilitySets.map((set) => [set, []]))
  },
  mounts: [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "nodev", "noexec"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "nodev", "noexec"] },
    memory("/dev", "nosuid"),
    scratch("/dev/shm", scratchMegabytes),
    ...view.mounts.flatMap(mount(nothing))
  ],
  linux: { namespaces: namespaces.map((type) => ({ type })) }
})
