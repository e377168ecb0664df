/** @internal */
import * as Fs from "node:fs"
import { chmodSocket } from "./chmodSocket.ts"
import { unless } from "./errno.ts"
import * as PrivatePath from "./privatePath.ts"

/** What is at a public path. */
export type Found =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Socket" }
  /** A symlink that a supervisor made. */
  | { readonly _tag: "OurLink"; readonly target: string }
  | { readonly _tag: "Other"; readonly what: string }

/** Looks at a public path without following it. */
export const look = (path: string): Found => {
  const found = Fs.lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return { _tag: "Nothing" }
  if (found.isSocket()) return { _tag: "Socket" }
  if (found.isSymbolicLink()) {
    const target = Fs.readlinkSync(path)
    return PrivatePath.isPrivate(target)
      ? { _tag: "OurLink", target }
      : { _tag: "Other", what: `a link to ${target}` }
  }
  return { _tag: "Other", what: found.isDirectory() ? "a folder" : found.isFile() ? "a file" : "a device" }
}

/** Removes a socket or a link of ours on which nobody listens, unless it has become something else meanwhile. */
export const removeStale = (path: string, found: Found): void => {
  if (look(path)._tag === found._tag) unless(["ENOENT"], () => Fs.unlinkSync(path))
}

/**
 * Makes the public path lead to a private one, in one step. A socket of the run that is there was bound by the program
 * itself: it stays, and gets its permission bits.
 */
export const point = (path: string, target: string, mode: number): void => {
  if (look(path)._tag === "Socket") {
    if (chmodSocket(path, mode, PrivatePath.trusts(target))) return
    throw new PrivatePath.Untrusted("somebody else's socket is at this path")
  }
  const temporary = `${path}.${process.pid}`
  unless(["ENOENT"], () => Fs.unlinkSync(temporary))
  Fs.symlinkSync(target, temporary)
  Fs.renameSync(temporary, path)
}

/** Takes the public path away if it leads to this private one. */
export const unpoint = (path: string, target: string): void => {
  const found = unless(["ENOTDIR", "EACCES"], () => look(path))
  if (found?._tag === "OurLink" && found.target === target) unless(["ENOENT"], () => Fs.unlinkSync(path))
}
