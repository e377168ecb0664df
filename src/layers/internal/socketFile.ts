/** @internal */
import * as Fs from "node:fs"
import { unless } from "../../internal/errno.ts"
import type { Owner } from "../../internal/folder.ts"

// Node does not name it. With it the socket itself is opened, and nothing can be done with it but look and chmod.
const oPath = 0o10000000

/**
 * Does something to the socket at `path`, in a folder that somebody else may write: the name is looked up once, no link is
 * followed, and nothing is touched but a socket of that one name whose owner is trusted. False where there is none.
 */
const onSocket = (
  path: string,
  trusts: (uid: number) => boolean,
  act: (self: string, found: Fs.Stats) => void
): boolean => {
  const fd = unless(["ENOENT", "ELOOP"], () => Fs.openSync(path, oPath | Fs.constants.O_NOFOLLOW))
  if (fd === undefined) return false
  try {
    const found = Fs.fstatSync(fd)
    if (!found.isSocket() || found.nlink !== 1 || !trusts(found.uid)) return false
    act(`/proc/self/fd/${fd}`, found)
    return true
  } finally {
    Fs.closeSync(fd)
  }
}

/** Sets the permission bits of a socket. */
export const chmodSocket = (path: string, mode: number, trusts: (uid: number) => boolean): boolean =>
  onSocket(path, trusts, (self, found) => {
    if ((found.mode & 0o777) !== mode) Fs.chmodSync(self, mode)
  })

/** Gives a socket that this process made to somebody else. */
export const giveSocket = (path: string, { gid, uid }: Owner): boolean =>
  onSocket(path, (now) => now === process.geteuid?.(), (self) => Fs.chownSync(self, uid, gid))
