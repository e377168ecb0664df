/** @internal */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { codeOf, unless } from "../../internal/errno.ts"
import * as Folder from "../../internal/folder.ts"
import * as Way from "../../internal/way.ts"
import * as PrivatePath from "./privatePath.ts"
import { chmodSocket } from "./socketFile.ts"

/** What is at a public path. */
export type Found =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Socket"; readonly uid: number }
  /** A symlink that a supervisor of this user made. */
  | { readonly _tag: "OurLink"; readonly target: string }
  | { readonly _tag: "Other"; readonly what: string }

/** Looks at a public path without following it. */
export const look = (path: string): Found => {
  const found = Fs.lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return { _tag: "Nothing" }
  if (found.isSocket()) return { _tag: "Socket", uid: found.uid }
  if (found.isSymbolicLink()) {
    const target = Fs.readlinkSync(path)
    return found.uid === process.geteuid?.() && PrivatePath.isPrivate(target)
      ? { _tag: "OurLink", target }
      : { _tag: "Other", what: `a link to ${target}` }
  }
  return { _tag: "Other", what: found.isDirectory() ? "a folder" : found.isFile() ? "a file" : "a device" }
}

/** The two paths of a run. */
interface Paths {
  readonly publicPath: string
  readonly privatePath: string
}

/**
 * Who may own a socket that the run bound at its public path: its user, the supervisor's, root; and anybody where nobody
 * else could have put it there. In `/tmp` everybody can.
 */
const trusts = ({ privatePath, publicPath }: Paths) => (uid: number): boolean => {
  const users = [PrivatePath.ownerOf(privatePath), process.geteuid?.() ?? 0]
  return uid === 0 || users.includes(uid) || Way.changeable(Path.dirname(publicPath), users) === undefined
}

/** Whether the program of this run has bound the public path itself. */
export const isBound = (paths: Paths): boolean => {
  const found = Fs.lstatSync(paths.publicPath, { throwIfNoEntry: false })
  return found?.isSocket() === true && trusts(paths)(found.uid)
}

/** Removes a socket or a link of ours on which nobody listens, unless it has become something else meanwhile. */
export const removeStale = (path: string, found: Found): void => {
  if (look(path)._tag === found._tag) unless(["ENOENT"], () => Fs.unlinkSync(path))
}

/**
 * Makes the public path lead to the private one, in one step. A socket of the run that is there was bound by the program
 * itself: it stays, and gets its permission bits.
 */
export const point = (paths: Paths, mode: number): void => {
  const { privatePath, publicPath } = paths
  try {
    return Fs.symlinkSync(privatePath, publicPath)
  } catch (error) {
    switch (codeOf(error)) {
      case "ENOENT":
        // The folder was there when the run was prepared.
        Fs.mkdirSync(Path.dirname(publicPath), { recursive: true, mode: 0o755 })
        return Fs.symlinkSync(privatePath, publicPath)
      case "EEXIST":
        return take(paths, mode)
      default:
        throw error
    }
  }
}

/** The same where there is something. */
const take = (paths: Paths, mode: number): void => {
  const { privatePath, publicPath } = paths
  const found = look(publicPath)
  switch (found._tag) {
    case "Socket":
      if (chmodSocket(publicPath, mode, trusts(paths))) return
      throw new Folder.Untrusted(`somebody else's socket is at this path (its owner has uid ${found.uid})`)
    case "Other":
      throw new Folder.Untrusted(`there is ${found.what} at this path, which is not tenement's`)
    default: {
      const temporary = `${publicPath}.${Crypto.randomBytes(6).toString("hex")}`
      Fs.symlinkSync(privatePath, temporary)
      Fs.renameSync(temporary, publicPath)
    }
  }
}

/** Whether the public path leads to the private one, or is bound by the run itself. */
export const leads = (paths: Paths): boolean => {
  const found = look(paths.publicPath)
  return found._tag === "OurLink"
    ? found.target === paths.privatePath
    : found._tag === "Socket" && trusts(paths)(found.uid)
}

/** Takes the public path away if it leads to this private one. */
export const unpoint = ({ privatePath, publicPath }: Paths): void => {
  const found = unless(["ENOTDIR", "EACCES"], () => look(publicPath))
  if (found?._tag === "OurLink" && found.target === privatePath) unless(["ENOENT"], () => Fs.unlinkSync(publicPath))
}
