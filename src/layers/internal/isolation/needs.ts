/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unless } from "../../../internal/errno.ts"
import type { Command } from "../command.ts"

/** The path behind all links, or the path itself where there is nothing. */
export const real = (path: string): string =>
  unless(["ENOENT", "ENOTDIR", "EACCES", "ELOOP"], () => Fs.realpathSync(path)) ?? path

const isHome = (folder: string): boolean =>
  folder === "/root" || Path.dirname(folder) === "/home" || Path.basename(folder) === ".local"

/** The folder in which what belongs to a program is: all of `~/.deno` for `~/.deno/bin/deno`. */
export const installation = (program: string): string => {
  const folder = Path.dirname(program)
  const parent = Path.dirname(folder)
  return /^(s?bin|shims|\.bin)$/.test(Path.basename(folder)) && !isHome(parent) ? parent : folder
}

/** What a command cannot do without. */
export const ofCommand = ({ file }: Command, cwd: string): ReadonlyArray<string> => [
  real(cwd),
  real(Path.dirname(file)),
  Path.dirname(real(file))
]

/** What it is likely to look for: the rest of its installation, files that its words name, other programs. */
export const useful = ({ args, env, file }: Command): ReadonlyArray<string> => {
  const programs = (env["PATH"] ?? "").split(":").filter((folder) => folder.startsWith("/")).map((folder) =>
    `${folder}/program`
  )
  const named = args.filter((word) => word.startsWith("/") && Fs.existsSync(word))
  return [...[file, real(file), ...programs].map(installation), ...named].map(real)
}
