/** Cgroups as the kernel shows them. */
import * as fs from "node:fs"

const root = "/sys/fs/cgroup"
const isHybrid = fs.existsSync(`${root}/unified`)

/** Whether the memory of a service can be limited here: by root, in either version. */
export const canLimit = process.getuid?.() === 0 &&
  (fs.existsSync(`${root}/memory`) ||
    (!isHybrid && fs.readFileSync(`${root}/cgroup.controllers`, "utf8").includes("memory")))

/** The folder of a process's cgroup in each hierarchy, by the controllers of that; `""` is version 2. */
export const foldersOf = (pid: number): ReadonlyMap<string, string> =>
  new Map(
    fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").trimEnd().split("\n").map((line) => {
      const [, controllers = "", ...path] = line.split(":")
      const mount = controllers !== "" ? `${root}/${controllers}` : isHybrid ? `${root}/unified` : root
      return [controllers, `${mount}${path.join(":")}`]
    })
  )

/** The value that limits a process, as the version at hand writes it. */
export const valueOf = (
  pid: number,
  controller: string,
  files: { readonly v1: string; readonly v2: string }
): string => {
  const folders = foldersOf(pid)
  const old = folders.get(controller)
  return fs.readFileSync(old === undefined ? `${folders.get("")}/${files.v2}` : `${old}/${files.v1}`, "utf8").trim()
}

/** Folders below the cgroup file systems whose name begins like this. */
export const named = (prefix: string, within = root): ReadonlyArray<string> =>
  fs.readdirSync(within, { withFileTypes: true }).filter((entry) => entry.isDirectory()).flatMap((entry) => {
    const path = `${within}/${entry.name}`
    return [...(entry.name.startsWith(prefix) ? [path] : []), ...named(prefix, path)]
  })
