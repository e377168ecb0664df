/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unless } from "./errno.ts"

/** What is met on the way to a path. */
export interface Step {
  readonly path: string
  readonly stat: Fs.Stats
  /** Whether it is the path's own end, all links followed. */
  readonly isLast: boolean
}

// As the kernel.
const mostLinks = 40

/** What is met on the way to an absolute path, links followed one by one, as far as there is something. */
export function* to(path: string): Generator<Step> {
  let at = "/"
  let links = 0
  const rest = path.split("/").filter((part) => part !== "")
  while (true) {
    const stat = unless(["ENOENT", "ENOTDIR"], () => Fs.statSync(at, { throwIfNoEntry: false }))
    if (stat === undefined) return
    yield { path: at, stat, isLast: rest.length === 0 }
    const part = rest.shift()
    if (part === undefined) return
    const next = Path.join(at, part)
    const target = unless(["EINVAL", "ENOENT", "ENOTDIR"], () => Fs.readlinkSync(next))
    if (target === undefined) at = next
    else {
      if (++links > mostLinks) return
      rest.unshift(...target.split("/").filter((part) => part !== ""))
      if (target.startsWith("/")) at = "/"
    }
  }
}

/** The first folder on the way to this one, itself included, in which others than root and `users` may change names. */
export const changeable = (folder: string, users: ReadonlyArray<number>): string | undefined => {
  for (const { isLast, path, stat } of to(folder)) {
    const isSticky = (stat.mode & 0o1000) !== 0
    if ((stat.uid !== 0 && !users.includes(stat.uid)) || ((stat.mode & 0o022) !== 0 && (isLast || !isSticky))) {
      return path
    }
  }
  return undefined
}
