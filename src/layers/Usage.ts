/**
 * Memory and CPU time that instances use.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Os from "node:os"
import type { InstanceName } from "../domain/Names.ts"
import * as Machine from "./internal/machine.ts"
import * as Procfs from "./internal/procfs.ts"
import * as Sessions from "./internal/sessions.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface InstanceUsage {
  readonly memoryBytes: number
  /** CPU time (user and system) since the process started. */
  readonly cpuSeconds: number
  /** Share of one core: over the time since an earlier sample, a second at least; else since the process started. */
  readonly cpuPercent: number
}

/**
 * Reads the usage of process trees when asked, and never on its own.
 *
 * @since 0.1.0
 * @category tags
 */
export class Usage extends Context.Tag("tenement/layers/Usage")<Usage, {
  /** The usage of each main process and what it forked; instances whose process is gone are left out. */
  readonly sample: (
    processes: ReadonlyMap<InstanceName, number>
  ) => Effect.Effect<ReadonlyMap<InstanceName, InstanceUsage>>
}>() {}

/** What an instance had used at an earlier moment, and its share until then. */
interface Earlier {
  readonly startTime: string
  readonly atMs: number
  readonly cpuSeconds: number
  readonly cpuPercent: number
}

const shortest = 1000

const measure = (
  leader: Procfs.Stat,
  members: ReadonlyArray<Procfs.Stat>,
  earlier: Earlier | undefined,
  nowMs: number
): readonly [InstanceUsage, Earlier] => {
  let pages = 0
  let ticks = 0
  for (const member of members) {
    pages += member.residentPages
    // What a process forked and waited for is counted with it, at every depth: the sum never goes back.
    ticks += member.cpu + member.childrenCpu
  }
  const cpuSeconds = ticks / Machine.ticksPerSecond
  const usage = (cpuPercent: number) => ({ memoryBytes: pages * Machine.pageSize, cpuSeconds, cpuPercent })
  if (earlier?.startTime === leader.startTime) {
    if (nowMs - earlier.atMs < shortest) return [usage(earlier.cpuPercent), earlier]
    const cpuPercent = Math.max(0, cpuSeconds - earlier.cpuSeconds) / (nowMs - earlier.atMs) * 100_000
    return [usage(cpuPercent), { ...earlier, atMs: nowMs, cpuSeconds, cpuPercent }]
  }
  const age = Math.max(Os.uptime() - Number(leader.startTime) / Machine.ticksPerSecond, 0.01)
  const cpuPercent = cpuSeconds / age * 100
  return [usage(cpuPercent), { startTime: leader.startTime, atMs: nowMs, cpuSeconds, cpuPercent }]
}

/** The members of a session with all their descendants, who may have begun sessions of their own. */
const treesOf = (sessions: Sessions.Sessions) => {
  const children = new Map<number, Array<Procfs.Stat>>()
  for (const members of sessions.values()) {
    for (const member of members) {
      if (member.parent <= 1) continue
      const siblings = children.get(member.parent)
      if (siblings === undefined) children.set(member.parent, [member])
      else siblings.push(member)
    }
  }
  return (session: number): ReadonlyArray<Procfs.Stat> => {
    const tree = new Set(sessions.get(session))
    // A set is visited in the order in which it grows.
    for (const member of tree) for (const child of children.get(member.pid) ?? []) tree.add(child)
    return [...tree]
  }
}

/**
 * One look at `/proc` for each sample, however many instances are asked for. A tree is the session of its main
 * process, with what descends from it; memory is the sum of what its processes have resident, pages they share counted once for each.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Usage> = Layer.effect(
  Usage,
  Effect.map(Sessions.make, (look) => {
    let known = new Map<InstanceName, Earlier>()
    return {
      sample: Effect.fn("Usage.sample")(function*(processes: ReadonlyMap<InstanceName, number>) {
        const result = new Map<InstanceName, InstanceUsage>()
        if (processes.size === 0) return result
        const sessions = yield* look
        const nowMs = yield* Clock.currentTimeMillis
        const next = new Map<InstanceName, Earlier>()
        const treeOf = treesOf(sessions)
        for (const [instance, pid] of processes) {
          const members = treeOf(pid).filter(Procfs.isLive)
          const leader = members.find((member) => member.pid === pid)
          if (leader === undefined) continue
          const [usage, earlier] = measure(leader, members, known.get(instance), nowMs)
          result.set(instance, usage)
          next.set(instance, earlier)
        }
        known = next
        return result
      })
    }
  })
)
