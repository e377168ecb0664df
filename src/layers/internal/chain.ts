/** @internal */
import * as Fs from "node:fs"
import { codeOf } from "../../internal/errno.ts"
import { quoted } from "../../internal/quoted.ts"
import { systemPath } from "../../internal/systemPath.ts"
import type { Cgroup } from "../Cgroup.ts"
import type { LaunchSpec } from "../Process.ts"
import type { Identity } from "./accounts.ts"
import * as Executable from "./executable.ts"

/** The way to a command: a shell that becomes it by exec, so that nothing is left over. */
export interface Way {
  readonly shell: string
  /** What it becomes. */
  readonly words: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

// Descriptor 3 is a socket. From it comes a line when the process has been written down; its end, if the supervisor dies
// before that, and then nothing is executed. That comes first: who has failed and gone before would not be heard, as its end
// breaks what is being written to it. It hears what failed: the shell's exit code and the word it was about. While
// the command runs the shell keeps it aside, closed on exec, so that its end is the command's beginning. No variable is
// set but `_`, which no command is given by the shell: another could be the command's.
const start = `set -e
trap 'echo "$? $1" >&3' EXIT`
const script = (last: string) => `
${start}
read -r _ <&3
ulimit -S -n "$1"; shift
until [ "$1" = -- ]; do { echo 0 >"$1"; } 2>/dev/null; shift; done
shift
unset PWD OLDPWD
${last}
`

const plain = script(`{ exec "$@"; } 3>&-`)

/** The files that this process has open, for another one of the same user to open again. */
const own = `/proc/${process.pid}/fd`

// For a shell that was started before it was known what it would become.
const later = (stdout: number, stderr: number) =>
  script(`{ exec "$@"; } 3>&- </dev/null 1<>${own}/${stdout} 2<>${own}/${stderr}`)

// Descriptor 4 is the socket that the command gets as its 3. sd_listen_fds(3): LISTEN_PID is who is meant, and the shell's
// process is the command's.
const listening = script(`export LISTEN_PID=$$
{ exec "$@"; } 3<&4 4<&-`)

/** Whether a socket is handed over. */
export const hasListener = <S extends Pick<LaunchSpec, "listener">>(
  spec: S
): spec is S & { readonly listener: number } => typeof spec.listener === "number"

// The dynamic loader would act on these while the shell is not in its cgroup yet, or setpriv still is root.
const isLoaders = (name: string): boolean => /^(LD_|GLIBC_|GCONV_PATH$|LOCPATH$|NLSPATH$)/.test(name)

// A shell has its own idea of what these hold.
const isShells = (name: string): boolean =>
  /^(BASH|SHELLOPTS$|SHLVL$|ENV$|IFS$|LINENO$|(OLD)?PWD$|OPT(ARG|ERR|IND)$|PPID$|E?UID$|GROUPS$|PS[0-4]$|_$)/.test(name)

const isShellName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)

/** The smallest shell there is. */
export const smallest = (): string => Fs.existsSync("/bin/dash") ? "/bin/dash" : "/bin/sh"

/** `bash` where the environment has names that others do not pass on. */
const shellFor = (env: LaunchSpec["env"]): string | Executable.Problem => {
  if (Object.keys(env).every(isShellName)) return smallest()
  const bash = Executable.find("bash", "/", systemPath)
  return typeof bash === "string" ? bash : {
    ...bash,
    what: "an environment with names that are none to a shell",
    advice: "Passing it on takes bash: apt-get install bash"
  }
}

const openFilesLimit = /^Max open files +\S+ +(\d+)/m

/**
 * Node raised its own soft limit as far as it goes before anybody could see what it was. What systemd gives: more would
 * break a program that uses `select`, and whoever needs more raises it himself.
 */
const softLimit = Math.min(1024, Number(openFilesLimit.exec(Fs.readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024))

/**
 * The way to a command: a shell that joins the cgroups and gives it the usual limit of open files; `setpriv` if it is to
 * run as somebody else; and `env` for what the ones before it are not to see.
 */
export const to = (
  words: ReadonlyArray<string>,
  spec: Pick<LaunchSpec, "env" | "cgroup" | "listener">,
  identity: Identity | null
): Way | Executable.Problem => {
  const shell = shellFor(spec.env)
  if (typeof shell !== "string") return shell
  const setpriv = identity === null ? "" : Executable.find("setpriv", "/", systemPath)
  if (typeof setpriv !== "string") {
    return { ...setpriv, advice: "Another user needs setpriv: apt-get install util-linux" }
  }
  const variables = Object.entries(spec.env)
  const isHeldBack = (name: string) => isLoaders(name) || isShells(name)
  // Every shell but dash adds these of its own.
  const added = shell === "/bin/dash" ? [] : ["-u", "_", "-u", "SHLVL"]
  const last = [...added, ...variables.flatMap(([name, value]) => isHeldBack(name) ? [`${name}=${value}`] : [])]
  return {
    shell,
    words: [
      ...(identity === null
        ? []
        : [
          setpriv,
          `--reuid=${identity.uid}`,
          `--regid=${identity.gid}`,
          `--groups=${identity.groups.join(",")}`,
          // Nobody was told to run as somebody else in order to become root again.
          "--no-new-privs",
          "--"
        ]),
      ...(last.length === 0 ? [] : ["/usr/bin/env", ...last]),
      ...words
    ],
    env: Object.fromEntries(variables.filter(([name]) => !isHeldBack(name)))
  }
}

/** The arguments of a shell that is started for it. */
export const argumentsOf = (
  { words }: Way,
  spec: Pick<LaunchSpec, "cgroup" | "listener">
): ReadonlyArray<string> => [
  "-c",
  hasListener(spec) ? listening : plain,
  "sh",
  String(softLimit),
  ...(spec.cgroup?.procs ?? []),
  "--",
  ...words
]

/** What a shell reads first that waits. It answers with a line if it is in the cgroup, and can be told of open files. */
export const greeting = (cgroup: Cgroup | null): string =>
  [...(cgroup?.procs ?? []).map((path) => `echo 0 >${quoted(path)}`), `[ -e ${own}/2 ]`, "echo >&3"].join(" && ") + "\n"

/** What a shell reads that waits. */
export const textOf = ({ env, words }: Way, { cwd, stderr, stdout }: LaunchSpec): string =>
  [
    start,
    `set -- ${[String(softLimit), "--", ...words].map(quoted).join(" ")}`,
    `cd -P -- ${quoted(cwd)}`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    later(stdout, stderr)
  ].join("\n")

/** A shell does not tell an errno. */
const joinCode = (path: string): string => {
  try {
    Fs.closeSync(Fs.openSync(path, Fs.constants.O_WRONLY))
    return "EBUSY"
  } catch (error) {
    return codeOf(error)
  }
}

/** Why the way was not gone to its end, from what descriptor 3 said. */
export const problemOf = (report: string, spec: LaunchSpec): Executable.Problem => {
  const [, status = "", word = ""] = /^(\d+) ([^]*?)\n?$/.exec(report) ?? []
  if (spec.cgroup?.procs.includes(word) === true) {
    return {
      code: joinCode(word),
      what: `cgroup ${word} could not be joined`,
      advice: "See what is wrong with it there."
    }
  }
  return {
    code: status === "127" ? "ENOENT" : status === "126" ? "ENOEXEC" : "EUNKNOWN",
    what: `command ${spec.argv[0]}`,
    advice: "The kernel refused to execute it; the last line of its log says why."
  }
}
