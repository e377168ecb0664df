/** @internal */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { codeOf } from "../../internal/errno.ts"

/** Why a program cannot be run, in the words of `LaunchFailed`. */
export interface Problem {
  readonly code: string
  readonly what: string
  readonly advice: string
}

const problem = (code: string, what: string, advice: string): Problem => ({ code, what, advice })

// What a C library searches when the environment says nothing.
const defaultPath = "/bin:/usr/bin"

// As the kernel: a script's first line counts up to here.
const head = Buffer.allocUnsafe(256)

/** Whether the folder can be worked in. */
export const checkFolder = (cwd: string): Problem | undefined => {
  try {
    if (!Fs.statSync(cwd).isDirectory()) {
      return problem("ENOTDIR", `working folder ${cwd}`, "It is not a folder; correct cwd in the file.")
    }
    Fs.accessSync(cwd, Fs.constants.X_OK)
    return undefined
  } catch (error) {
    const code = codeOf(error)
    return problem(
      code,
      `working folder ${cwd}`,
      code === "ENOENT" ? "Create it, or correct cwd in the file." : "Make it accessible, or correct cwd in the file."
    )
  }
}

const checkFile = (word: string, path: string, cwd: string): Problem | undefined => {
  const what = `command ${word}`
  const missing = problem("ENOENT", what, "There is no such program; check command and cwd in the file.")
  try {
    // Most folders of PATH hold most programs not, and an exception takes ten times as long as a look.
    const found = Fs.statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return missing
    if (!found.isFile()) {
      return problem("EACCES", what, "It is not a program but a folder or a device; correct command in the file.")
    }
    Fs.accessSync(path, Fs.constants.X_OK)
  } catch (error) {
    const code = codeOf(error)
    return code === "EACCES"
      ? problem(code, what, `It may not be executed; try \`chmod +x ${path}\`.`)
      : { ...missing, code }
  }
  return checkFormat(what, path, cwd)
}

// A C library hands what the kernel does not know to /bin/sh, and the kernel blames the script for a missing
// interpreter: both are told apart here.
const checkFormat = (what: string, path: string, cwd: string): Problem | undefined => {
  let fd: number
  try {
    fd = Fs.openSync(path, "r")
  } catch (error) {
    // A program may be executable and not readable.
    if (codeOf(error) === "EACCES") return undefined
    return problem(codeOf(error), what, "It cannot be opened.")
  }
  let start: string
  try {
    start = head.toString("latin1", 0, Fs.readSync(fd, head, 0, head.length, 0))
  } finally {
    Fs.closeSync(fd)
  }
  if (start.startsWith("#!")) {
    const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(start)?.[1]
    if (interpreter === undefined) {
      return problem("ENOEXEC", what, "Its first line, #!, names no interpreter.")
    }
    return Fs.existsSync(Path.resolve(cwd, interpreter))
      ? undefined
      : problem("ENOENT", `${what}: its interpreter ${interpreter}`, "Install it, or correct the script's first line.")
  }
  return start.includes("\0")
    ? undefined
    : problem("ENOEXEC", what, "It is neither a program nor a script: a script begins with a line such as #!/bin/sh.")
}

/** The path of the program that a command's first word names, as `execvp` would find it. */
export const find = (word: string, cwd: string, searchPath: string | undefined): string | Problem => {
  if (word === "") return problem("ENOENT", "command", "It is empty; correct command in the file.")
  if (word.includes("/")) {
    const path = Path.resolve(cwd, word)
    return checkFile(word, path, cwd) ?? path
  }
  let denied: Problem | undefined
  for (const folder of (searchPath ?? defaultPath).split(":")) {
    const path = Path.resolve(cwd, folder, word)
    const found = checkFile(word, path, cwd)
    if (found === undefined) return path
    if (found.code !== "ENOENT" || found.what !== `command ${word}`) denied ??= found
  }
  return denied ??
    problem("ENOENT", `command ${word}`, "No folder of PATH holds it; give its path, or set PATH in env.")
}
