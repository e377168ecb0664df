/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Way from "./way.ts"

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = Fs.constants

/** A path that is not what it should be, or could be somebody else's work. */
export class Untrusted extends Error {
  readonly code = "EPERM"
}

/** Who is to own a folder. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Where somebody else than root, who is about to work in it, may change names on the way to a folder. */
export const exposed = (folder: string): string | undefined =>
  process.geteuid?.() === 0 ? Way.changeable(folder, []) : undefined

/** Root makes, gives and opens nothing that somebody else could have put in the place of what is meant. */
export const assertClosed = (folder: string): void => {
  const open = exposed(folder)
  if (open !== undefined) throw new Untrusted(`others than root may change what is in ${open}`)
}

/** Gives the folder of this very name, and none that a link leads to, to an owner, or to the supervisor's user. */
export const give = (path: string, owner: Owner | null): void => {
  const fd = Fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    const stat = Fs.fstatSync(fd)
    const { gid, uid } = owner ?? { uid: process.geteuid?.() ?? stat.uid, gid: stat.gid }
    if (stat.uid === uid && stat.gid === gid) return
    assertClosed(Path.dirname(path))
    Fs.fchownSync(fd, uid, gid)
  } finally {
    Fs.closeSync(fd)
  }
}

/** Lets others pass through a folder, which does not let them see what is in it. */
export const letPass = (path: string): void => {
  const { mode } = Fs.statSync(path)
  if ((mode & 0o011) === 0o011) return
  assertClosed(path)
  Fs.chmodSync(path, (mode & 0o7777) | 0o011)
}
