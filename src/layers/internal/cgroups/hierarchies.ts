/** @internal */
import * as Fs from "node:fs"
import { unless } from "../../../internal/errno.ts"

/** A tree of cgroups: the one of version 2, or one of those that version 1 has for its controllers. */
export interface Hierarchy {
  readonly version: 1 | 2
  /** What it controls, for version 1; version 2 says so in each cgroup. */
  readonly controllers: ReadonlyArray<string>
  readonly mount: string
  /** The supervisor's own cgroup in it, as a folder. */
  readonly own: string
}

const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** `/a/b` below `/a` is `/b`; `undefined` for what is not below it. */
const below = (root: string, path: string): string | undefined =>
  root === "/" ? path : path === root ? "/" : path.startsWith(`${root}/`) ? path.slice(root.length) : undefined

/** What a process is in: the second field of a line of `/proc/PID/cgroup`, with the third. */
const membership = (cgroup: string): ReadonlyMap<string, string> =>
  new Map(
    cgroup.trimEnd().split("\n").map((line) => {
      const [, controllers = "", ...path] = line.split(":")
      return [controllers, path.join(":")] as const
    })
  )

/** Which hierarchies are mounted where the supervisor can see itself in them. */
export const parse = (mountinfo: string, cgroup: string): ReadonlyArray<Hierarchy> => {
  const memberOf = membership(cgroup)
  const found = new Map<string, Hierarchy>()
  for (const line of mountinfo.trimEnd().split("\n")) {
    const [before = "", after = ""] = line.split(" - ")
    const [, , , root = "", mount = ""] = before.split(" ").map(unescaped)
    const [type, , options = ""] = after.split(" ")
    if (type !== "cgroup" && type !== "cgroup2") continue
    for (const [controllers, path] of memberOf) {
      const names = controllers === "" ? [] : controllers.split(",")
      const isIt = type === "cgroup2" ? names.length === 0 : names.length > 0 &&
        names.every((name) => options.split(",").includes(name))
      const relative = below(root, path)
      // A cgroup outside of the namespace's root is shown as `/..`.
      if (!isIt || relative === undefined || relative.startsWith("/..")) continue
      if (found.has(controllers)) continue
      found.set(controllers, {
        version: type === "cgroup2" ? 2 : 1,
        controllers: names,
        mount,
        own: relative === "/" ? mount : `${mount}${relative}`
      })
    }
  }
  return [...found.values()]
}

const read = (path: string): string => unless(["ENOENT"], () => Fs.readFileSync(path, "utf8")) ?? ""

/** The hierarchies of this machine. */
export const find = (): ReadonlyArray<Hierarchy> => parse(read("/proc/self/mountinfo"), read("/proc/self/cgroup"))

/**
 * The file of a cgroup that a process of one thread joins it by. A whole process is moved only when all processors have
 * noticed that it is going to be, which takes some 6 ms; a thread that moves itself waits for nobody (Linux 5.5), and
 * version 1 lets it.
 */
export const entrance = ({ version }: Hierarchy): string => version === 1 ? "tasks" : "cgroup.procs"

/**
 * What tells the kernel that a process is about to move, by moving the supervisor to where it is. Before the first move
 * of a while the kernel waits until all processors have noticed, some 6 ms; moves that follow soon after do not wait. So
 * that is over by the time the process is there that has to move, which is still to be forked. Nothing depends on it.
 */
export const foreteller = ({ mount, version }: Hierarchy): () => void => {
  if (version === 1) return () => {}
  let seen: string | null = null
  let own: string | undefined
  return () => {
    // Somebody may have moved the supervisor, and it is to stay there.
    const cgroup = read("/proc/self/cgroup")
    if (cgroup !== seen) own = find().find((hierarchy) => hierarchy.mount === mount)?.own
    seen = cgroup
    if (own === undefined) return
    const procs = unless(
      ["ENOENT", "EACCES", "EPERM", "EROFS"],
      () => Fs.openSync(`${own}/cgroup.procs`, Fs.constants.O_WRONLY)
    )
    if (procs !== undefined) Fs.write(procs, String(process.pid), () => Fs.closeSync(procs))
  }
}
