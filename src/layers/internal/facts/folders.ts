/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type Fact, has, lacks, risks } from "../../../domain/HostFacts.ts"
import { codeOf, unless } from "../../../internal/errno.ts"
import * as Way from "../../../internal/way.ts"

/** What is at a path, or at the nearest path above it where something is. */
const standing = (path: string): { readonly at: string; readonly stat: Fs.Stats } => {
  const stat = unless(["ENOTDIR", "EACCES", "ELOOP"], () => Fs.statSync(path, { throwIfNoEntry: false }))
  return stat === undefined ? standing(Path.dirname(path)) : { at: path, stat }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EROFS: "its file system is read-only"
}

/** Whether the supervisor can work in a folder, or make it; `key` is where the file names it. Nothing is made. */
export const look = (path: string, key: string): Fact => {
  const { at, stat } = standing(path)
  const other = `set another ${key}`
  if (!stat.isDirectory()) return lacks(`${at} is not a folder`, other)
  const uid = process.geteuid?.() ?? 0
  try {
    Fs.accessSync(at, Fs.constants.W_OK | Fs.constants.X_OK)
  } catch (error) {
    const code = codeOf(error)
    const what = at === path ? `${path} cannot be written to` : `${path} cannot be made in ${at}`
    const mend = code === "EACCES" ? `sudo install -d -o ${uid} ${path}, or ${other}` : other
    return lacks(`${what}: ${reasons[code] ?? code}`, mend)
  }
  if (at !== path) return has(`${path}, which is made at the first start`)
  // For what is in it: a sticky folder such as /tmp keeps that for its owner.
  const open = Way.changeable(Path.join(path, "entry"), [uid])
  return open === undefined
    ? has(path)
    : risks(
      `others than root and this user may change what is in ${open}`,
      `chown ${uid} ${open} && chmod go-w ${open}`
    )
}
