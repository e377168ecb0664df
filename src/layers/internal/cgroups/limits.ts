/** @internal */
import type { Limits } from "../../../domain/Config.ts"

/** What limits ask of a host. */
export type Controller = "memory" | "cpu" | "pids"

export const controllers: ReadonlyArray<Controller> = ["memory", "cpu", "pids"]

/** One value to be written. An `optional` file is not there on every kernel, and the limit holds without it. */
export interface Setting {
  readonly key: string
  readonly controller: Controller
  readonly file: string
  readonly value: string
  readonly optional?: true
}

const periodUs = 100_000

const quotaUs = (cores: number): number => Math.round(cores * periodUs)

/** A weight of 100 is 1024 shares, as both are what a cgroup has that nobody weighed. */
const sharesOf = (weight: number): number => Math.max(2, Math.round(weight * 1024 / 100))

type Writing = { readonly [Key in keyof Limits]: (limit: Limits[Key]) => ReadonlyArray<Setting> }

const memory = (file: string, value: string, optional?: true): Setting => ({
  key: "memory_limit_mb",
  controller: "memory",
  file,
  value,
  ...(optional === undefined ? {} : { optional })
})

const pids = (limit: number | null): ReadonlyArray<Setting> => [
  { key: "pids_limit", controller: "pids", file: "pids.max", value: limit === null ? "max" : String(limit) }
]

const writing: Readonly<Record<1 | 2, Writing>> = {
  1: {
    memoryLimitBytes: (limit) => {
      const value = String(limit ?? -1)
      const together = "memory.memsw.limit_in_bytes"
      // Memory and swap together may never be less than memory alone: out of the way first.
      return [memory(together, "-1", true), memory("memory.limit_in_bytes", value), memory(together, value, true)]
    },
    cpuShares: (weight) => [
      { key: "cpu_shares", controller: "cpu", file: "cpu.shares", value: String(sharesOf(weight ?? 100)) }
    ],
    cpuLimit: (cores) => [
      ...(cores === null
        ? []
        : [{ key: "cpu_limit", controller: "cpu", file: "cpu.cfs_period_us", value: String(periodUs) } as const]),
      {
        key: "cpu_limit",
        controller: "cpu",
        file: "cpu.cfs_quota_us",
        value: String(cores === null ? -1 : quotaUs(cores))
      }
    ],
    pidsLimit: pids
  },
  2: {
    memoryLimitBytes: (limit) => [
      memory("memory.max", limit === null ? "max" : String(limit)),
      // What is swapped out still is memory that it uses.
      memory("memory.swap.max", limit === null ? "max" : "0", true)
    ],
    cpuShares: (weight) => [{ key: "cpu_shares", controller: "cpu", file: "cpu.weight", value: String(weight ?? 100) }],
    cpuLimit: (cores) => [
      {
        key: "cpu_limit",
        controller: "cpu",
        file: "cpu.max",
        value: `${cores === null ? "max" : quotaUs(cores)} ${periodUs}`
      }
    ],
    pidsLimit: pids
  }
}

/** What has to be written for limits: in a new cgroup what is limited, in one that `had` others what differs. */
export const settings = (
  versionOf: (controller: Controller) => 1 | 2,
  limits: Limits,
  had: Limits
): ReadonlyArray<Setting> => [
  ...(limits.memoryLimitBytes === had.memoryLimitBytes
    ? []
    : writing[versionOf("memory")].memoryLimitBytes(limits.memoryLimitBytes)),
  ...(limits.cpuShares === had.cpuShares ? [] : writing[versionOf("cpu")].cpuShares(limits.cpuShares)),
  ...(limits.cpuLimit === had.cpuLimit ? [] : writing[versionOf("cpu")].cpuLimit(limits.cpuLimit)),
  ...(limits.pidsLimit === had.pidsLimit ? [] : writing[versionOf("pids")].pidsLimit(limits.pidsLimit))
]
