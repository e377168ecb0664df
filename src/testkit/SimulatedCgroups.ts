/**
 * The cgroups of a simulated machine. They outlive any number of supervisors.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { type Limits, unlimited } from "../domain/Config.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import type { Cgroup, Cgroups, Place } from "../layers/Cgroups.ts"
import { CgroupFailed } from "../layers/Errors.ts"
import type { Child, Processes } from "./Processes.ts"
import type { Behaviour } from "./Program.ts"

interface Group extends Place {
  limits: Limits
  oomKills: number
}

const nameOf = ({ beside, instance }: Place): string => `${instance} ${beside ?? ""}`

/** Whether a process is in there. */
const isIn = ({ beside, instance }: Place) => (child: Child): boolean =>
  child.instance === instance && (beside === null || child.incarnation === beside)

const limitsOf = ({ cpuLimit, cpuShares, memoryLimitBytes, pidsLimit }: Limits): Limits => ({
  memoryLimitBytes,
  cpuShares,
  cpuLimit,
  pidsLimit
})

/**
 * @since 0.1.0
 * @category models
 */
export class SimulatedCgroups {
  /** Whether the machine has cgroups. */
  exist = false
  /** How often something was found that a launch had left which was cut short. */
  swept = 0
  private readonly groups = new Map<string, Group>()
  private readonly processes: Processes
  private readonly of: (service: string) => Behaviour

  constructor(processes: Processes, of: (service: string) => Behaviour) {
    this.processes = processes
    this.of = of
  }

  /** How many there are. */
  get count(): number {
    return this.groups.size
  }

  private newestOf(instance: InstanceName): Group | undefined {
    return [...this.groups.values()].findLast((group) => group.instance === instance)
  }

  /** The kernel kills something in the cgroup of an instance for memory; nothing where there is none. */
  kill(instance: InstanceName, isLeader: boolean): void {
    const group = this.newestOf(instance)
    if (group === undefined) return
    group.oomKills++
    const leader = this.processes.children.find((child) => isIn(group)(child) && child.alive)
    if (leader === undefined || !isLeader) return
    leader.oomKilled = true
    this.processes.end(leader, { signal: "SIGKILL" })
  }

  /** With the machine's power they go, too. */
  clear(): void {
    this.groups.clear()
  }

  private failure(instance: InstanceName, key: string | null, code: string): CgroupFailed {
    return new CgroupFailed({ instance, key, path: `/sys/fs/cgroup/${instance}`, code, advice: "Try again." })
  }

  private isBroken(instance: InstanceName): boolean {
    return this.of(parts(instance).service).failsToLaunch === "cgroup"
  }

  private take(group: Group): Effect.Effect<Cgroup, never, Scope.Scope> {
    const release = Effect.sync(() => {
      if (this.groups.get(nameOf(group)) === group) this.groups.delete(nameOf(group))
    })
    return Effect.scope.pipe(
      Effect.flatMap((scope) => Scope.addFinalizer(scope, release)),
      Effect.as(this.handle(group))
    )
  }

  private handle(group: Group): Cgroup {
    const { instance } = group
    const isMember = isIn(group)
    const members = Effect.sync(() =>
      this.processes.children.flatMap((child) => isMember(child) && child.alive ? [child.pid] : [])
    )
    return {
      procs: [],
      isPopulated: Effect.map(members, ({ length }) => length > 0),
      members,
      kill: Effect.sync(() => void this.processes.sweep(isMember)),
      limits: () => group.limits,
      limit: (limits) =>
        Effect.suspend(() => {
          if (this.isBroken(instance)) return this.failure(instance, "memory_limit_mb", "EBUSY")
          group.limits = limitsOf(limits)
          return Effect.void
        }),
      usage: Effect.succeed({ memoryBytes: null, cpuSeconds: null }),
      oomKills: Effect.sync(() => group.oomKills)
    }
  }

  private readonly make: Context.Tag.Service<Cgroups>["make"] = (place, limits) =>
    Effect.suspend((): Effect.Effect<Cgroup | null, CgroupFailed, Scope.Scope> => {
      const { beside, instance } = place
      if (this.isBroken(instance)) return this.failure(instance, null, "EBUSY")
      if (!this.exist) {
        const key = Object.keys(unlimited).find((key) => limits[key as keyof Limits] !== null)
        return key === undefined ? Effect.succeed(null) : this.failure(instance, key, "ENOENT")
      }
      this.swept += this.processes.sweep(isIn(place))
      const group: Group = { instance, beside, limits: limitsOf(limits), oomKills: 0 }
      this.groups.set(nameOf(group), group)
      return this.take(group)
    })

  /** As a supervisor has them. */
  readonly service: Context.Tag.Service<Cgroups> = {
    facts: { mode: "none", reason: "nothing here is real", folders: [], missing: new Map() },
    make: this.make,
    adopt: (place) =>
      Effect.suspend(() => {
        const group = this.groups.get(nameOf(place))
        return group === undefined ? Effect.succeed(null) : this.take(group)
      }),
    sweep: (kept) =>
      Effect.sync(() => {
        if (!this.exist) return
        this.swept += this.processes.sweep((child) => !kept.some((place) => isIn(place)(child)))
        const names = new Set(kept.map(nameOf))
        for (const name of this.groups.keys()) if (!names.has(name)) this.groups.delete(name)
      }),
    of: (instance) => {
      const group = this.newestOf(instance)
      return group === undefined ? null : this.handle(group)
    }
  }
}
