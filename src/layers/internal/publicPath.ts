/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
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
 * Makes the public path lead to a private one, in one step. A socket that is there was bound by the program itself: it
 * stays, and gets its permission bits where nobody but us could have exchanged it.
 */
export const point = (path: string, target: string, mode: number): void => {
  if (look(path)._tag === "Socket") {
    const folder = Fs.lstatSync(Path.dirname(path))
    if (folder.isDirectory() && folder.uid === process.getuid?.()) chmodSocket(path, mode, () => true)
    return
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
