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

/** Opens the folder of this very name, and none that a link leads to. */
const withFolder = (path: string, use: (fd: number, stat: Fs.Stats) => void): void => {
  const fd = Fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    use(fd, Fs.fstatSync(fd))
  } finally {
    Fs.closeSync(fd)
  }
}

/**
 * Gives a folder to an owner, or to the supervisor's user. Nothing is given where somebody else could have put another
 * folder in this one's place.
 */
export const give = (path: string, owner: Owner | null): void =>
  withFolder(path, (fd, stat) => {
    const us = process.geteuid?.() ?? 0
    const { gid, uid } = owner ?? { uid: us, gid: stat.gid }
    if (stat.uid === uid && stat.gid === gid) return
    const open = Way.changeable(Path.dirname(path), [us])
    if (open !== undefined) {
      throw new Untrusted(`others than root and the supervisor's user may change what is in ${open}`)
    }
    Fs.fchownSync(fd, uid, gid)
  })
