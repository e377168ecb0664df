/** @internal */
import type { LaunchSpec } from "../Process.ts"
import * as Accounts from "./accounts.ts"
import * as Chain from "./chain.ts"
import * as Executable from "./executable.ts"

/** A program, with all it is given. */
export interface Command {
  readonly file: string
  readonly argv0: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

// What a shell, `env` and `setpriv` find by itself, and do not take for anything else.
const isPlain = (word: string): boolean => /^[\w./+][\w./+-]*$/.test(word)

/**
 * The program behind a spec, or why there is none. What can be known beforehand is looked at here, so that a person is
 * told which of program, folder and user it was; the kernel would only name an errno.
 */
export const program = (spec: LaunchSpec): Command | Executable.Problem => {
  const [word = "", ...args] = spec.argv
  for (const text of [...spec.argv, spec.cwd, ...Object.keys(spec.env), ...Object.values(spec.env)]) {
    if (text.includes("\0")) {
      return { code: "EINVAL", what: `command ${word.replaceAll("\0", "?")}`, advice: "A word of it holds a NUL byte." }
    }
  }
  const folder = Executable.checkFolder(spec.cwd)
  if (folder !== undefined) return folder
  const file = Executable.find(word, spec.cwd, spec.env["PATH"])
  return typeof file === "string" ? { file, argv0: word, args, env: spec.env } : file
}

/** Whom a run becomes: null for the supervisor's own user. */
export const identity = (
  { group, user }: Pick<LaunchSpec, "user" | "group">
): Accounts.Identity | Executable.Problem | null => {
  if (user === null && group === null) return null
  const found = Accounts.identify(user, group)
  if ("unknown" in found) {
    return {
      code: "ENOENT",
      what: found.unknown,
      advice: Accounts.advice
    }
  }
  if (found.uid === process.getuid?.() && found.gid === process.getgid?.()) return null
  return process.getuid?.() === 0 ? found : {
    code: "EPERM",
    what: user === null ? `group ${group}` : `user ${user}`,
    advice: "Only root may run services as somebody else; run the supervisor as root, or take user and group out."
  }
}

/** The way to a spec's program, or why there is none. */
export const resolve = (spec: LaunchSpec): Chain.Way | Executable.Problem => {
  const command = program(spec)
  if ("what" in command) return command
  const other = identity(spec)
  if (other !== null && "what" in other) return other
  const { args, argv0, file } = command
  // By the word that the file has: `ps` shows it so.
  const words = [isPlain(argv0) && spec.env["PATH"] !== undefined ? argv0 : file, ...args]
  return Chain.to(words, spec, other)
}
