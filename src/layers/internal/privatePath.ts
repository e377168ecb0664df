/** @internal */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type InstanceName, parts } from "../../domain/Names.ts"
import { chmodSocket } from "./chmodSocket.ts"
import { unless } from "./errno.ts"

// What `sun_path` holds, without its final NUL.
const longest = 107

/** A path that is not what it should be, or could be somebody else's work. */
export class Untrusted extends Error {
  readonly code = "EPERM"
}

// No instance's name has a dot in it: no two share a folder.
const folderName = (instance: InstanceName): string => {
  const { id, service } = parts(instance)
  return `${service}.${id}`
}

const shortName = (instance: InstanceName): string =>
  Crypto.createHash("sha256").update(instance).digest("hex").slice(0, 16)

/** Where one run of an instance is told to listen. Long names give way to a digest where they do not fit. */
export const of = (runDir: string, instance: InstanceName, incarnation: number): string => {
  const path = (folder: string) => `${runDir}/.run/${folder}/${incarnation}.sock`
  const plain = path(folderName(instance))
  return Buffer.byteLength(plain) <= longest ? plain : path(shortName(instance))
}

/** Whether a path is a private path of some instance, below whichever `run_dir`. */
export const isPrivate = (path: string): boolean => /\/\.run\/[^/]+\/\d+\.sock$/.test(path)

/** Whether a path is a private path of this instance. */
export const isOf = (instance: InstanceName, path: string): boolean => {
  const folder = Path.basename(Path.dirname(path))
  return isPrivate(path) && (folder === folderName(instance) || folder === shortName(instance))
}

/**
 * Makes the folder of a private path and gives it to who the run runs as; nothing is at the path afterwards. The
 * folder's owner may do in it as he likes, so that nothing here follows what it holds; the folder above is ours.
 */
export const make = (path: string, owner: { readonly uid: number; readonly gid: number } | null): void => {
  if (Buffer.byteLength(path) > longest) {
    throw new Untrusted(`its private path ${path} would be longer than ${longest} bytes; choose a shorter run_dir`)
  }
  const folder = Path.dirname(path)
  const root = Path.dirname(folder)
  Fs.mkdirSync(root, { recursive: true, mode: 0o755 })
  const found = Fs.lstatSync(root)
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw new Untrusted(`${root} is not a folder that only the supervisor can write; remove it`)
  }
  unless(["EEXIST"], () => Fs.mkdirSync(folder, { mode: 0o755 }))
  const { gid, uid } = owner ?? { uid: found.uid, gid: found.gid }
  const current = Fs.lstatSync(folder)
  if (current.uid !== uid || current.gid !== gid) Fs.chownSync(folder, uid, gid)
  unless(["ENOENT"], () => Fs.unlinkSync(path))
}

/** The user of a run: who owns the folder of its private path. */
export const ownerOf = (path: string): number => Fs.lstatSync(Path.dirname(path)).uid

/**
 * Whether there is a socket of the run at `path`; it has its permission bits then. Who could put it there is trusted: a
 * run of the supervisor's own user may hand its socket to anybody.
 */
export const grant = (path: string, mode: number): boolean => {
  const owner = ownerOf(path)
  return chmodSocket(path, mode, (uid) => uid === owner || owner === process.geteuid?.())
}

/** Takes a run's socket away, and the folder with it if nothing else is there. */
export const remove = (path: string): void => {
  unless(["ENOENT", "EISDIR", "EPERM"], () => Fs.unlinkSync(path))
  unless(["ENOENT", "ENOTEMPTY", "EEXIST"], () => Fs.rmdirSync(Path.dirname(path)))
}
