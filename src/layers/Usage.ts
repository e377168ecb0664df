/**
 * Memory and CPU time that instances use.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Os from "node:os"
import type { InstanceName } from "../domain/Names.ts"
import { type Cgroup, Cgroups } from "./Cgroups.ts"
import * as Machine from "./internal/machine.ts"
import * as Monotonic from "./internal/monotonic.ts"
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

/** What is known of an instance at one moment. */
interface Sample {
  readonly startTime: string
  readonly memoryBytes: number
  readonly cpuSeconds: number
}

const measure = (
  { cpuSeconds, memoryBytes, startTime }: Sample,
  earlier: Earlier | undefined,
  nowMs: number
): readonly [InstanceUsage, Earlier] => {
  const usage = (cpuPercent: number) => ({ memoryBytes, cpuSeconds, cpuPercent })
  if (earlier?.startTime === startTime) {
    if (nowMs - earlier.atMs < shortest) return [usage(earlier.cpuPercent), earlier]
    const cpuPercent = Math.max(0, cpuSeconds - earlier.cpuSeconds) / (nowMs - earlier.atMs) * 100_000
    return [usage(cpuPercent), { ...earlier, atMs: nowMs, cpuSeconds, cpuPercent }]
  }
  const age = Math.max(Os.uptime() - Number(startTime) / Machine.ticksPerSecond, 0.01)
  const cpuPercent = cpuSeconds / age * 100
  return [usage(cpuPercent), { startTime, atMs: nowMs, cpuSeconds, cpuPercent }]
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

const residentBytes = (members: ReadonlyArray<Procfs.Stat>): number =>
  members.reduce((pages, member) => pages + member.residentPages, 0) * Machine.pageSize

// What a process forked and waited for is counted with it, at every depth: the sum never goes back.
const cpuSeconds = (members: ReadonlyArray<Procfs.Stat>): number =>
  members.reduce((ticks, member) => ticks + member.cpu + member.childrenCpu, 0) / Machine.ticksPerSecond

const ofMembers = (leader: Procfs.Stat, members: ReadonlyArray<Procfs.Stat>): Sample => ({
  startTime: leader.startTime,
  memoryBytes: residentBytes(members),
  cpuSeconds: cpuSeconds(members)
})

/** By the cgroup's own figures; what it does not count, by those of its processes. */
const ofCgroup = (leader: Procfs.Stat, cgroup: Cgroup): Effect.Effect<Sample> =>
  Effect.gen(function*() {
    const counted = yield* cgroup.usage
    const { memoryBytes } = counted
    if (memoryBytes !== null && counted.cpuSeconds !== null) {
      return { startTime: leader.startTime, memoryBytes, cpuSeconds: counted.cpuSeconds }
    }
    const members = (yield* cgroup.members).flatMap((pid) => Procfs.stat(pid) ?? []).filter(Procfs.isLive)
    return {
      startTime: leader.startTime,
      memoryBytes: memoryBytes ?? residentBytes(members),
      cpuSeconds: counted.cpuSeconds ?? cpuSeconds(members)
    }
  })

/**
 * By the instances' cgroups where they have any. For the others `/proc` is read, once for each sample: a tree is the
 * session of its main process then, with what descends from it, and pages that its processes share are counted once for each.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Usage, never, Cgroups> = Layer.effect(
  Usage,
  Effect.gen(function*() {
    const cgroups = yield* Cgroups
    const look = yield* Sessions.make
    let known = new Map<InstanceName, Earlier>()

    return {
      sample: Effect.fn("Usage.sample")(function*(processes: ReadonlyMap<InstanceName, number>) {
        const leaders = [...processes].flatMap(([instance, pid]) => {
          const leader = Procfs.stat(pid)
          if (leader === undefined || !Procfs.isLive(leader)) return []
          return [{ instance, leader, cgroup: cgroups.of(instance) }]
        })
        const sessions = leaders.some(({ cgroup }) => cgroup === null) ? yield* look : new Map()
        const nowMs = yield* Monotonic.milliseconds
        const result = new Map<InstanceName, InstanceUsage>()
        const next = new Map<InstanceName, Earlier>()
        const treeOf = treesOf(sessions)
        for (const { cgroup, instance, leader } of leaders) {
          const sample = cgroup === null
            ? ofMembers(leader, treeOf(leader.pid).filter(Procfs.isLive))
            : yield* ofCgroup(leader, cgroup)
          const [usage, earlier] = measure(sample, known.get(instance), nowMs)
          result.set(instance, usage)
          next.set(instance, earlier)
        }
        known = next
        return result
      })
    }
  })
)
