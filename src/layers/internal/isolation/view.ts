/** @internal */
import * as Either from "effect/Either"

/** A change to the host's file system, which an isolated instance otherwise sees as it is and cannot write. */
export type Mount =
  /** An empty folder that cannot be written; later mounts may show something in it. */
  | { readonly _tag: "Hidden"; readonly path: string }
  /** An empty folder of its own in memory, for everybody to write. */
  | { readonly _tag: "Scratch"; readonly path: string; readonly megabytes: number }
  /** What the host has at this path. */
  | { readonly _tag: "Shown"; readonly path: string; readonly writable: boolean }
  /** A file that nobody can read. */
  | { readonly _tag: "Masked"; readonly path: string }

/** A path that an instance is given. */
export interface Grant {
  readonly path: string
  readonly writable: boolean
}

/** All paths are real: no link is in them. */
export interface Request {
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

const shownThere = [
  // Names are resolved by files behind /etc/resolv.conf, and by nscd.
  "/run/systemd/resolve",
  "/run/resolvconf",
  "/run/NetworkManager/resolv.conf",
  "/run/nscd",
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

const system = ["/usr", "/bin", "/sbin", "/lib", "/etc", "/proc", "/dev"]

/** Whether `path` is `folder` or below it. */
export const within = (folder: string) => (path: string): boolean =>
  path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`)

const depth = (path: string): number => path === "/" ? 0 : path.split("/").length

// What is deeper comes later, or it would be covered; of one path, what shows comes after what hides.
const inOrder = (mounts: ReadonlyArray<Mount>): ReadonlyArray<Mount> => {
  const rank = ({ _tag }: Mount) => _tag === "Shown" ? 1 : 0
  const sorted = [...mounts].sort((a, b) => depth(a.path) - depth(b.path) || rank(a) - rank(b))
  return sorted.filter((mount, at) =>
    !sorted.slice(0, at).some((other) => other.path === mount.path && rank(other) === rank(mount))
  )
}

const conflict = ({ closed, granted, needed, privateTmp }: Request): Conflict | undefined => {
  const indispensable = [...system, ...privateTmp ? [] : ["/tmp"], ...needed]
  for (const folder of closed) {
    const lost = indispensable.find((path) =>
      within(folder)(path) && !granted.some((grant) => within(grant.path)(path))
    )
    if (lost !== undefined) return { closed: folder, needed: lost }
  }
  return undefined
}

/** What makes the host's file system that of an instance, in the order in which it is to be done. */
export const of = (request: Request): Either.Either<ReadonlyArray<Mount>, Conflict> => {
  const { closed, exists, granted, needed, privateTmp, useful } = request
  const found = conflict(request)
  if (found !== undefined) return Either.left(found)
  const covered = [...hidden, ...privateTmp ? ["/tmp"] : []]
  const isIn = (folders: ReadonlyArray<string>) => (path: string) => folders.some((folder) => within(folder)(path))
  const visible = [...shownThere, ...useful, ...needed].filter((path) => isIn(covered)(path) && !isIn(closed)(path))
  const mounts: ReadonlyArray<Mount> = [
    ...[...hidden, ...closed].map((path) => ({ _tag: "Hidden", path }) as const),
    privateTmp
      ? { _tag: "Scratch", path: "/tmp", megabytes: scratchMegabytes }
      : { _tag: "Shown", path: "/tmp", writable: true },
    ...masked.map((path) => ({ _tag: "Masked", path }) as const),
    ...visible.map((path) => ({ _tag: "Shown", path, writable: false }) as const),
    ...granted.map((grant) => ({ _tag: "Shown", ...grant }) as const)
  ]
  return Either.right(inOrder(mounts.filter(({ path }) => exists(path))))
}
