/** @internal */
import * as Fs from "node:fs"
import { unless } from "../../internal/errno.ts"

// Node does not name it. With it the socket itself is opened, and nothing can be done with it but look and chmod.
const oPath = 0o10000000

/**
 * Sets the permission bits of the socket at `path`. In a folder that somebody else may write: the name is looked up
 * once, no link is followed, and nothing is touched but a socket of that one name whose owner is trusted. False where
 * there is none.
 */
export const chmodSocket = (path: string, mode: number, trusts: (uid: number) => boolean): boolean => {
  const fd = unless(["ENOENT", "ELOOP"], () => Fs.openSync(path, oPath | Fs.constants.O_NOFOLLOW))
  if (fd === undefined) return false
  try {
    const found = Fs.fstatSync(fd)
    if (!found.isSocket() || found.nlink !== 1 || !trusts(found.uid)) return false
    if ((found.mode & 0o777) !== mode) Fs.chmodSync(`/proc/self/fd/${fd}`, mode)
    return true
  } finally {
    Fs.closeSync(fd)
  }
}
