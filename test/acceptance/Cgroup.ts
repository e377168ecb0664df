/** Cgroups as the kernel shows them. */
import * as Effect from "effect/Effect"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
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

const foldersIn = (folder: string): ReadonlyArray<string> =>
  (unless(["ENOENT"], () => fs.readdirSync(folder, { withFileTypes: true })) ?? [])
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}`)

const named = (name: string, folder = root): ReadonlyArray<string> =>
  foldersIn(folder).flatMap((inner) => path.basename(inner) === name ? [inner] : named(name, inner))

/** From the innermost to the folder itself. */
const within = (folder: string): ReadonlyArray<string> => [...foldersIn(folder).flatMap(within), folder]

const membersOf = (folder: string): ReadonlyArray<number> =>
  (unless(["ENOENT", "ENODEV"], () => fs.readFileSync(`${folder}/cgroup.procs`, "utf8")) ?? "")
    .split("\n").filter((pid) => pid !== "").map(Number)

/**
 * Takes away the cgroups that a supervisor which was killed has left, once they are empty. Where it was started in a cgroup
 * of version 2 that others are in, it has moved those into its own: who runs the test, too.
 */
export const clear = (dataDir: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const found = fs.existsSync(root) ? fs.statSync(dataDir, { throwIfNoEntry: false }) : undefined
    if (found === undefined) return Effect.void
    const sum = crypto.createHash("sha256").update(`${found.dev}:${found.ino}`).digest("hex")
    const own = named(`tenement-${sum.slice(0, 12)}`).filter((folder) =>
      !within(folder).some((inner) => membersOf(inner).includes(process.pid))
    )
    const left = Effect.sync(() => {
      for (const folder of own.flatMap(within)) unless(["ENOENT", "EBUSY"], () => fs.rmdirSync(folder))
      return own.filter((folder) => fs.existsSync(folder)).flatMap(within).map((folder) => [folder, membersOf(folder)])
    })
    return Effect.asVoid(eventually("its cgroups are empty", left, (folders) => folders.length === 0))
  })
