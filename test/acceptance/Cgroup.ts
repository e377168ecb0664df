/** Cgroups as the kernel shows them. */
import * as Effect from "effect/Effect"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import { unless } from "../../src/internal/errno.ts"
import { eventually } from "./Eventually.ts"

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

/** Folders below the cgroup file systems of that name. Others come and go meanwhile. */
const named = (name: string, within = root): ReadonlyArray<string> =>
  (unless(["ENOENT"], () => fs.readdirSync(within, { withFileTypes: true })) ?? [])
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => entry.name === name ? [`${within}/${name}`] : named(name, `${within}/${entry.name}`))

/** From the innermost to the folder itself. */
const within = (folder: string): ReadonlyArray<string> => [
  ...(unless(["ENOENT"], () => fs.readdirSync(folder, { withFileTypes: true })) ?? [])
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => within(`${folder}/${entry.name}`)),
  folder
]

const clearOne = (folder: string): void => {
  const procs = unless(["ENOENT", "ENODEV"], () => fs.readFileSync(`${folder}/cgroup.procs`, "utf8")) ?? ""
  for (const pid of procs.split("\n").map(Number).filter((pid) => pid > 0)) {
    unless(["ESRCH"], () => process.kill(pid, "SIGKILL"))
  }
  // Who is frozen does not die.
  if (fs.existsSync(`${folder}/freezer.state`)) {
    unless(["ENOENT"], () => fs.writeFileSync(`${folder}/freezer.state`, "THAWED"))
  }
  // Until those are gone it is busy.
  unless(["ENOENT", "EBUSY"], () => fs.rmdirSync(folder))
}

/** Takes away what a supervisor that was killed has left of its cgroups, with all that lives in them. */
export const clear = (dataDir: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const found = fs.existsSync(root) ? fs.statSync(dataDir, { throwIfNoEntry: false }) : undefined
    if (found === undefined) return Effect.void
    const sum = crypto.createHash("sha256").update(`${found.dev}:${found.ino}`).digest("hex")
    const folders = named(`tenement-${sum.slice(0, 12)}`)
    const left = Effect.sync(() => {
      folders.flatMap(within).forEach(clearOne)
      return folders.filter((folder) => fs.existsSync(folder))
    })
    return Effect.asVoid(eventually("no cgroup is left", left, (folders) => folders.length === 0))
  })
