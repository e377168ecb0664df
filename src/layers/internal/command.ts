/** @internal */
import { systemPath } from "../../internal/systemPath.ts"
import type { LaunchSpec } from "../Process.ts"
import * as Accounts from "./accounts.ts"
import * as Executable from "./executable.ts"

// The dynamic loader would act on these while setpriv still is root; they are handed over after it no longer is.
const heldBack = /^(LD_|GLIBC_|GCONV_PATH$|LOCPATH$|NLSPATH$)/

/** What is really executed for a `LaunchSpec`. */
export interface Command {
  readonly file: string
  readonly argv0: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

const asIdentity = (identity: Accounts.Identity, command: Command): Command | Executable.Problem => {
  const setpriv = Executable.find("setpriv", "/", systemPath)
  if (typeof setpriv !== "string") {
    return { ...setpriv, advice: "Another user needs setpriv: apt-get install util-linux" }
  }
  const held = Object.entries(command.env).filter(([name]) => heldBack.test(name))
  const env = Object.entries(command.env).filter(([name]) => !heldBack.test(name))
  return {
    file: setpriv,
    argv0: "setpriv",
    args: [
      `--reuid=${identity.uid}`,
      `--regid=${identity.gid}`,
      `--groups=${identity.groups.join(",")}`,
      "--",
      ...(held.length === 0 ? [] : ["/usr/bin/env", ...held.map(([name, value]) => `${name}=${value}`)]),
      command.file,
      ...command.args
    ],
    env: Object.fromEntries(env)
  }
}

/**
 * The command behind a spec, or why there is none. What can be known beforehand is looked at here, so that a person
 * is told which of program, folder and user it was; the kernel would only name an errno.
 */
export const resolve = (spec: LaunchSpec): Command | Executable.Problem => {
  const [word = "", ...args] = spec.argv
  for (const text of [...spec.argv, spec.cwd, ...Object.keys(spec.env), ...Object.values(spec.env)]) {
    if (text.includes("\0")) {
      return { code: "EINVAL", what: `command ${word.replaceAll("\0", "?")}`, advice: "A word of it holds a NUL byte." }
    }
  }
  const folder = Executable.checkFolder(spec.cwd)
  if (folder !== undefined) return folder
  const file = Executable.find(word, spec.cwd, spec.env["PATH"])
  if (typeof file !== "string") return file
  const command = { file, argv0: word, args, env: spec.env }
  if (spec.user === null && spec.group === null) return command
  const identity = Accounts.identify(spec.user, spec.group)
  if ("unknown" in identity) {
    return {
      code: "ENOENT",
      what: identity.unknown,
      advice: Accounts.advice
    }
  }
  if (identity.uid === process.getuid?.() && identity.gid === process.getgid?.()) return command
  if (process.getuid?.() !== 0) {
    return {
      code: "EPERM",
      what: spec.user === null ? `group ${spec.group}` : `user ${spec.user}`,
      advice: "Only root may run services as somebody else; run the supervisor as root, or take user and group out."
    }
  }
  return asIdentity(identity, command)
}
