/** @internal */
import * as Folder from "./folder.ts"
import type { Places } from "./places.ts"

const numberIn = (path: string): number | null => {
  const text = Folder.read(path)
  return text === undefined ? null : Number(text)
}

// Memory that caches files and would be given up first is nothing that a run needs.
const memoryFiles = {
  1: { used: "memory.usage_in_bytes", idle: "total_inactive_file", kills: "memory.oom_control" },
  2: { used: "memory.current", idle: "inactive_file", kills: "memory.events" }
} as const

const memoryBytes = ({ limiting }: Places, name: string): number | null => {
  const memory = limiting.get("memory")
  if (memory === undefined) return null
  const { idle, used } = memoryFiles[memory.hierarchy.version]
  const bytes = numberIn(`${memory.path}/${name}/${used}`)
  return bytes && Math.max(0, bytes - (Folder.valueOf(`${memory.path}/${name}/memory.stat`, idle) ?? 0))
}

const cpuSeconds = ({ counting }: Places, name: string): number | null => {
  if (counting === undefined) return null
  if (counting.hierarchy.version === 2) {
    return (Folder.valueOf(`${counting.path}/${name}/cpu.stat`, "usage_usec") ?? 0) / 1e6
  }
  return (numberIn(`${counting.path}/${name}/cpuacct.usage`) ?? 0) / 1e9
}

/** What the processes of a cgroup use, as far as it is counted. */
export const usage = (places: Places, name: string) => ({
  memoryBytes: memoryBytes(places, name),
  cpuSeconds: cpuSeconds(places, name)
})

/** How often the kernel killed in a cgroup for memory. */
export const oomKills = ({ limiting }: Places, name: string): number => {
  const memory = limiting.get("memory")
  if (memory === undefined) return 0
  return Folder.valueOf(`${memory.path}/${name}/${memoryFiles[memory.hierarchy.version].kills}`, "oom_kill") ?? 0
}
