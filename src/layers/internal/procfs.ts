/** @internal */
import * as Fs from "node:fs"
import { codeOf, unless } from "../../internal/errno.ts"

/** One line of `/proc/PID/stat`, the fields that are used here. Times are in clock ticks. */
export interface Stat {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly cpu: number
  readonly childrenCpu: number
  readonly startTime: string
  readonly residentPages: number
}

// Longer than any stat line; one buffer for all, since every read is synchronous.
const buffer = Buffer.allocUnsafe(4096)

/** The status of a process; `undefined` when there is none of that pid. */
export const stat = (pid: number | string): Stat | undefined => {
  let length: number
  let fd: number | undefined
  try {
    fd = Fs.openSync(`/proc/${pid}/stat`, "r")
    length = Fs.readSync(fd, buffer, 0, buffer.length, 0)
  } catch (error) {
    const code = codeOf(error)
    if (code === "ENOENT" || code === "ESRCH") return undefined
    throw error
  } finally {
    if (fd !== undefined) Fs.closeSync(fd)
  }
  const line = buffer.toString("latin1", 0, length)
  // The name in the second field may hold anything, spaces and parentheses too: count from its last parenthesis.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ")
  const number = (field: number): number => Number(fields[field - 3])
  return {
    pid: Number(line.slice(0, line.indexOf(" "))),
    state: fields[0] ?? "X",
    parent: number(4),
    group: number(5),
    session: number(6),
    cpu: number(14) + number(15),
    childrenCpu: number(16) + number(17),
    startTime: fields[22 - 3] ?? "",
    residentPages: number(24)
  }
}

/** The status of every process there is. */
export const all = (): ReadonlyArray<Stat> => {
  const result: Array<Stat> = []
  for (const name of Fs.readdirSync("/proc")) {
    if (name < "0" || name > ":") continue
    const found = stat(name)
    if (found !== undefined) result.push(found)
  }
  return result
}

/** The oldest child that a process has. */
export const firstChild = (pid: number): number | undefined => {
  const children = unless(["ENOENT", "ESRCH"], () => Fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"))
  const [first = ""] = (children ?? "").split(" ")
  return first === "" ? undefined : Number(first)
}

/** Whether a process still runs: a zombie only waits for its parent to look. */
export const isLive = (process: Stat): boolean => process.state !== "Z" && process.state !== "X"

/** Whether this very process runs. */
export const isThere = ({ pid, startTime }: Pick<Stat, "pid" | "startTime">): boolean => {
  const found = stat(pid)
  return found !== undefined && found.startTime === startTime && isLive(found)
}

const bootIdFile = "/proc/sys/kernel/random/boot_id"

/** Another one after each boot: pids and start times of one mean nothing in another. */
export const bootId = (): string => Fs.readFileSync(bootIdFile, "latin1").trim()
