/** @internal */
import { systemPath } from "../../../internal/systemPath.ts"
import * as Executable from "../executable.ts"

const packages = { bwrap: "bubblewrap", perl: "perl-base", runsc: "runsc", setpriv: "util-linux" } as const

/** Programs that isolation is made with. */
export type Tool = keyof typeof packages

/** Why isolation cannot be had, and what a person does about it. */
export interface Lack {
  readonly missing: string
  readonly advice: string
}

/** The paths of tools, or what is missing. */
export const find = <T extends Tool>(names: ReadonlyArray<T>): Readonly<Record<T, string>> | Lack => {
  const found = names.map((name) => [name, Executable.find(name, "/", systemPath)] as const)
  const absent = found.flatMap(([name, file]) => typeof file === "string" ? [] : [name])
  return absent.length === 0 ? Object.fromEntries(found) as Record<T, string> : {
    missing: `${absent.join(" and ")} ${absent.length === 1 ? "is" : "are"} not installed`,
    advice: `Install it: apt-get install ${absent.map((name) => packages[name]).join(" ")}`
  }
}
