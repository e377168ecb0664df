/** @internal */
import * as Either from "effect/Either"

/** A step in putting together what an isolated instance sees of the file system. */
export type Mount =
  /** An empty folder that cannot be written; later mounts may show something in it. */
  | { readonly _tag: "Hidden"; readonly path: string }
  /** An empty folder of its own in memory, for everybody to write. */
  | { readonly _tag: "Scratch"; readonly path: string; readonly megabytes: number }
  /** What the host has at this path. */
  | { readonly _tag: "Shown"; readonly path: string; readonly writable: boolean }
  /** A file that nobody can read. */
  | { readonly _tag: "Masked"; readonly path: string }
  /** A symbolic link, where the host has one. */
  | { readonly _tag: "Link"; readonly path: string; readonly target: string }

/** What an instance sees, in the order in which it is put together: all of the host, read-only, or nothing to begin with. */
export interface View {
  readonly base: "host" | "nothing"
  readonly mounts: ReadonlyArray<Mount>
}

/** A path that an instance is given. */
export interface Grant {
  readonly path: string
  readonly writable: boolean
}

/** All paths are real: no link is in them. */
export interface Request {
  readonly base: View["base"]
  /** What is shown to it wherever it is: its own folders, the public sockets. */
  readonly granted: ReadonlyArray<Grant>
  /** What it cannot do without: its program and its working folder. */
  readonly needed: ReadonlyArray<string>
  /** What it may see where it happens to be hidden with the rest. */
  readonly useful: ReadonlyArray<string>
  /** What it must not see, whatever it asks for. */
  readonly closed: ReadonlyArray<string>
  readonly privateTmp: boolean
  readonly exists: (path: string) => boolean
  /** Where a link leads; `undefined` for what is none. */
  readonly linkTarget: (path: string) => string | undefined
}

/** Something that must not be seen holds something that must. */
export interface Conflict {
  readonly closed: string
  readonly needed: string
}

/** What a private /tmp and /dev/shm hold at most: they are memory. */
export const scratchMegabytes = 256

// People's files; sockets of daemons, among them doors to root such as docker's; the kernel's own tree.
const hidden = ["/home", "/root", "/run", "/sys"]

// Files behind /etc/resolv.conf, and nscd.
const nameService = ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf", "/run/nscd"]

const shownThere = [
  ...nameService,
  // Databases, whose own accounts say who may do what.
  "/run/postgresql",
  "/run/mysqld",
  "/run/redis",
  "/run/valkey",
  "/run/memcached",
  // How many processors and how much memory there is: runtimes size their pools by it.
  "/sys/devices/system",
  "/sys/kernel/mm/transparent_hugepage"
]

const masked = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"]

// What a program of the distribution needs to run.
const system = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt"]

// What nobody needs who is not trusted.
const secrets = ["/etc/ssh", "/etc/ssl/private", "/etc/sudoers.d"]

/** Whether `path` is `folder` or below it. */
export const within = (folder: string) => (path: string): boolean =>
  path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`)

const depth = (path: string): number => path === "/" ? 0 : path.split("/").length

// What is deeper comes later, or it would be covered; of one path, what shows comes after what hides.
const inOrder = (mounts: ReadonlyArray<Mount>): ReadonlyArray<Mount> => {
  const rank = (mount: Mount) => mount._tag === "Shown" ? (mount.writable ? 2 : 1) : mount._tag === "Link" ? 1 : 0
  const sorted = [...mounts].sort((a, b) => depth(a.path) - depth(b.path) || rank(a) - rank(b))
  return sorted.filter((mount, at) =>
    !sorted.slice(0, at).some((other) => other.path === mount.path && rank(other) === rank(mount))
  )
}

const conflict = ({ base, closed, granted, needed, privateTmp }: Request): Conflict | undefined => {
  const indispensable = [...needed, ...base === "host" ? [...system, ...privateTmp ? [] : ["/tmp"]] : []]
  for (const folder of closed) {
    const lost = indispensable.find((path) =>
      within(folder)(path) && !granted.some((grant) => within(grant.path)(path))
    )
    if (lost !== undefined) return { closed: folder, needed: lost }
  }
  return undefined
}

const isIn = (folders: ReadonlyArray<string>) => (path: string) => folders.some((folder) => within(folder)(path))

const hide = (path: string): Mount => ({ _tag: "Hidden", path })
const mask = (path: string): Mount => ({ _tag: "Masked", path })
const show = (path: string): Mount => ({ _tag: "Shown", path, writable: false })

const tmp = ({ privateTmp }: Request): Mount =>
  privateTmp
    ? { _tag: "Scratch", path: "/tmp", megabytes: scratchMegabytes }
    : { _tag: "Shown", path: "/tmp", writable: true }

const grants = ({ granted }: Request) => granted.map((grant): Mount => ({ _tag: "Shown", ...grant }))

/** All of the host but what is hidden; what is asked for and happens to be hidden with the rest is shown there. */
const ofHost = (request: Request): ReadonlyArray<Mount> => {
  const { closed, needed, privateTmp, useful } = request
  const isCovered = isIn([...hidden, ...privateTmp ? ["/tmp"] : []])
  const visible = [...shownThere, ...useful, ...needed].filter((path) => isCovered(path) && !isIn(closed)(path))
  return [
    ...[...hidden, ...closed].map(hide),
    tmp(request),
    ...masked.map(mask),
    ...visible.map(show),
    ...grants(request)
  ]
}

/** The distribution's programs, and what is asked for. */
const ofSystem = (request: Request): ReadonlyArray<Mount> => {
  const { closed, linkTarget, needed, useful } = request
  const base = system.map((path): Mount => {
    const target = linkTarget(path)
    return target === undefined ? show(path) : { _tag: "Link", path, target }
  })
  const visible = [...nameService, ...useful, ...needed].filter((path) =>
    path !== "/" && !isIn(system)(path) && !isIn(closed)(path)
  )
  const shut = closed.filter(isIn(visible))
  return [
    ...base,
    ...[...secrets, ...shut].map(hide),
    ...[...masked, "/etc/sudoers"].map(mask),
    tmp(request),
    ...visible.map(show),
    ...grants(request)
  ]
}

/** The view that a request asks for. */
export const of = (request: Request): Either.Either<View, Conflict> => {
  const found = conflict(request)
  if (found !== undefined) return Either.left(found)
  const { base, exists } = request
  const mounts = base === "host" ? ofHost(request) : ofSystem(request)
  return Either.right({ base, mounts: inOrder(mounts.filter(({ path }) => exists(path))) })
}
