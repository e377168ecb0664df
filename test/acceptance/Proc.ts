/** What `/proc` says: the only witness of processes that the tests believe. */
import * as fs from "node:fs"

export interface Stat {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** In clock ticks since boot: with the pid, which process this is. */
  readonly startTime: string
}

const read = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    // The process is gone.
    return undefined
  }
}

export const pids = (): ReadonlyArray<number> =>
  fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number)

export const stat = (pid: number): Stat | undefined => {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return {
    pid,
    state: fields[0]!,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19]!
  }
}

/** A process that is there and no zombie. */
export const isAlive = (pid: number): boolean => {
  const found = stat(pid)
  return found !== undefined && found.state !== "Z"
}

export const identity = (pid: number): string => `${pid}@${stat(pid)?.startTime}`

export const zombiesOf = (parent: number): ReadonlyArray<number> =>
  pids().filter((pid) => {
    const found = stat(pid)
    return found?.parent === parent && found.state === "Z"
  })

export const commandLine = (pid: number): ReadonlyArray<string> => (read(`/proc/${pid}/cmdline`) ?? "").split("\0")

/** Processes that have a word beginning with `prefix` among their arguments. */
export const withArgument = (prefix: string): ReadonlyArray<number> =>
  pids().filter((pid) => commandLine(pid).some((word) => word.startsWith(prefix)))

export const environment = (pid: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (read(`/proc/${pid}/environ`) ?? "").split("\0").filter((entry) => entry !== "").map((entry) => {
      const equals = entry.indexOf("=")
      return [entry.slice(0, equals), entry.slice(equals + 1)]
    })
  )

/** Open descriptors and what each leads to. */
export const descriptors = (pid: number): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  let numbers: ReadonlyArray<string> = []
  try {
    numbers = fs.readdirSync(`/proc/${pid}/fd`)
  } catch {
    return found
  }
  for (const number of numbers) {
    try {
      found.set(Number(number), fs.readlinkSync(`/proc/${pid}/fd/${number}`))
    } catch {
      // It was closed between the two looks.
    }
  }
  return found
}

/** The same, but for the one by which Node watches folders: it keeps that from the first one on, for good. */
export const lasting = (pid: number): ReadonlyArray<readonly [number, string]> =>
  [...descriptors(pid)].filter(([, to]) => to !== "anon_inode:inotify")

/** A line of `/proc/PID/status`. */
export const status = (pid: number, field: string): string | undefined =>
  read(`/proc/${pid}/status`)?.split("\n").find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1).trim()
