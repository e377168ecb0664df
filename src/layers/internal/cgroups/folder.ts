/** @internal */
import * as Fs from "node:fs"
import { codeOf, unless } from "../../../internal/errno.ts"

/** Why a file or folder of a cgroup could not be made or written. */
export interface Obstacle {
  readonly path: string
  readonly code: string
}

/** What `call` did to `path`, or what was in its way. */
const attempt = (path: string, call: () => void): Obstacle | undefined => {
  try {
    call()
    return undefined
  } catch (error) {
    return { path, code: codeOf(error) }
  }
}

/** Writes one value; cgroup files take it in one piece. */
export const write = (path: string, value: string): Obstacle | undefined =>
  attempt(path, () => {
    // Never made by us: what the kernel does not offer is missing, and not a file of that name.
    const fd = Fs.openSync(path, Fs.constants.O_WRONLY)
    try {
      Fs.writeSync(fd, value)
    } finally {
      Fs.closeSync(fd)
    }
  })

// One for all, since every read is synchronous; a file of the kernel has no length to make one of.
const buffer = Buffer.allocUnsafe(16384)

const readWhole = (path: string): string => {
  const fd = Fs.openSync(path, "r")
  try {
    let text = ""
    for (let length: number; (length = Fs.readSync(fd, buffer)) > 0;) text += buffer.toString("latin1", 0, length)
    return text
  } finally {
    Fs.closeSync(fd)
  }
}

/** What a file of a cgroup holds; `undefined` where there is none. */
export const read = (path: string): string | undefined =>
  unless(["ENOENT", "ENODEV", "EOPNOTSUPP"], () => readWhole(path))

/** The value of `key` in a file of `key value` lines. */
export const valueOf = (path: string, key: string): number | undefined => {
  const found = new RegExp(`^${key} (\\d+)$`, "m").exec(read(path) ?? "")?.[1]
  return found === undefined ? undefined : Number(found)
}

export const make = (path: string): Obstacle | undefined => attempt(path, () => Fs.mkdirSync(path, { mode: 0o755 }))

export const exists = (path: string): boolean => Fs.existsSync(path)

/** The cgroups directly in it. */
export const inside = (path: string): ReadonlyArray<string> =>
  (unless(["ENOENT"], () => Fs.readdirSync(path, { withFileTypes: true })) ?? [])
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${path}/${entry.name}`)

/** Takes an empty cgroup away; true when there is none of that name any more. */
export const removeOne = (path: string): boolean => {
  const code = attempt(path, () => Fs.rmdirSync(path))?.code
  return code === undefined || code === "ENOENT"
}

/** Takes a cgroup away with those that were made in it; false where one of them still has processes. */
export const remove = (path: string): boolean =>
  removeOne(path) || (inside(path).map(remove).every(Boolean) && removeOne(path))

/** Whether a cgroup, or one within it, has a process. */
export const isOccupied = (path: string): boolean =>
  (read(`${path}/cgroup.procs`) ?? "") !== "" || inside(path).some(isOccupied)

/** The processes in a cgroup and in those within it. */
export const members = (path: string): ReadonlyArray<number> => [
  ...(read(`${path}/cgroup.procs`) ?? "").split("\n").filter((pid) => pid !== "").map(Number),
  ...inside(path).flatMap(members)
]
