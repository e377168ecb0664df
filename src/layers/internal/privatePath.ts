/** @internal */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { InstanceName } from "../../domain/Names.ts"
import { codeOf, unless } from "../../internal/errno.ts"
import * as Folder from "../../internal/folder.ts"
import { folderName } from "./folderName.ts"
import { chmodSocket } from "./socketFile.ts"

// What `sun_path` holds, without its final NUL.
const longest = 107

const digest = (text: string): string => Crypto.createHash("sha256").update(text).digest("hex")

const shortName = (instance: InstanceName): string => digest(instance).slice(0, 16)

/**
 * The folder of all private paths of one supervisor: others that keep their sockets in the same `run_dir` have other
 * data.
 */
export const rootOf = ({ dataDir, runDir }: { readonly dataDir: string; readonly runDir: string }): string =>
  `${runDir}/.run-${digest(dataDir).slice(0, 8)}`

/** A place for one run of an instance to listen. Long names give way to a digest where they do not fit. */
export const of = (root: string, instance: InstanceName, number: number): string => {
  const path = (folder: string) => `${root}/${folder}/${number}.sock`
  const plain = path(folderName(instance))
  return Buffer.byteLength(plain) <= longest ? plain : path(shortName(instance))
}

/** Whether a path is a private path of some instance, below whichever `run_dir`. */
export const isPrivate = (path: string): boolean => /\/\.run-[0-9a-f]{8}\/[^/]+\/\d+\.sock$/.test(path)

/** Whether a path is a private path of this instance. */
export const isOf = (root: string, instance: InstanceName, path: string): boolean => {
  const folder = Path.dirname(path)
  const name = Path.basename(folder)
  return Path.dirname(folder) === root && isPrivate(path) &&
    (name === folderName(instance) || name === shortName(instance))
}

/** What is at private paths now, whoever put it there. */
export const all = (root: string): ReadonlyArray<string> => {
  const inside = (folder: string) => unless(["ENOENT", "ENOTDIR"], () => Fs.readdirSync(folder)) ?? []
  return inside(root).flatMap((folder) =>
    inside(`${root}/${folder}`).map((name) => `${root}/${folder}/${name}`).filter(isPrivate)
  )
}

/** Whether nobody but the supervisor may write in the folder. */
export const isOurs = (root: Fs.Stats): boolean =>
  root.isDirectory() && root.uid === process.geteuid?.() && (root.mode & 0o022) === 0

/** Makes the folder of all private paths, in which nobody but the supervisor may write. */
export const makeRoot = (root: string): void => {
  Fs.mkdirSync(root, { recursive: true, mode: 0o755 })
  if (!isOurs(Fs.lstatSync(root))) {
    throw new Folder.Untrusted(`${root} is not a folder that only the supervisor can write; remove it`)
  }
}

/**
 * Makes the folder of a private path and gives it to who the run runs as. The folder's owner may do in it as he likes,
 * so that nothing here follows what it holds.
 */
export const make = (path: string, owner: Folder.Owner | null): void => {
  if (Buffer.byteLength(path) > longest) {
    throw new Folder.Untrusted(
      `its private path ${path} would be longer than ${longest} bytes; choose a shorter run_dir`
    )
  }
  const folder = Path.dirname(path)
  try {
    Fs.mkdirSync(folder, { mode: 0o755 })
  } catch (error) {
    if (codeOf(error) === "ENOENT") {
      makeRoot(Path.dirname(folder))
      Fs.mkdirSync(folder, { mode: 0o755 })
    } else if (codeOf(error) !== "EEXIST") throw error
  }
  Folder.give(folder, owner)
}

/** The user of a run: who owns the folder of its private path. */
export const ownerOf = (path: string): number => Fs.lstatSync(Path.dirname(path)).uid

/**
 * Whether there is a socket of the run at `path`; it has its permission bits then. Who could put it there is trusted: a
 * run of the supervisor's own user may hand its socket to anybody.
 */
export const grant = (path: string, mode: number): boolean =>
  chmodSocket(path, mode, (uid) => [uid, process.geteuid?.()].includes(ownerOf(path)))

/** Takes a run's socket away, and the folder with it if nothing else is there. */
export const remove = (path: string): void => {
  unless(["ENOENT", "EISDIR", "EPERM"], () => Fs.unlinkSync(path))
  unless(["ENOENT", "ENOTEMPTY", "EEXIST"], () => Fs.rmdirSync(Path.dirname(path)))
}
