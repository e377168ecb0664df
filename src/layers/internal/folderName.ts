/** @internal */
import type { InstanceName } from "../../domain/Names.ts"

/** The name of a folder for an instance. No name has a dot in it: no two instances share a folder. */
export const folderName = (instance: InstanceName): string => instance.replace(":", ".")

/** The name that a folder was made for, if it was made for one; what is no instance's name has to be told apart. */
export const nameOf = (folder: string): string => folder.replace(".", ":")
