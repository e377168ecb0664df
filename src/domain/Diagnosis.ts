/**
 * What a machine can do for a configuration, and what it cannot.
 *
 * @since 0.1.0
 */
import * as Claims from "./Claims.ts"
import type { ServiceConfig, TenementConfig } from "./Config.ts"
import { type Ability, type Fact, has, type HostFacts, lacks, type NamedFact } from "./HostFacts.ts"
import type { ServiceName } from "./Names.ts"

/**
 * One thing that was looked at. An `error` keeps the services named from being started; a `warning` keeps nobody.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finding {
  readonly level: "ok" | "warning" | "error"
  readonly about: string
  readonly what: string
  /** Those that need it; none where no configuration was given. */
  readonly services: ReadonlyArray<ServiceName>
  /** What to do about it: a command where one is enough. */
  readonly mend: string | null
}

/**
 * A configuration, and what was found of what it names.
 *
 * @since 0.1.0
 * @category models
 */
export interface Site {
  readonly config: TenementConfig
  readonly named: ReadonlyArray<NamedFact>
}

const finding = ({ about, fact, services }: NamedFact): Finding => ({
  level: fact._tag === "Has" ? "ok" : fact._tag === "Lacks" && services.length > 0 ? "error" : "warning",
  about,
  what: fact.what,
  services,
  mend: fact._tag === "Has" ? null : fact.mend
})

const needs: Readonly<Record<Ability, (service: ServiceConfig) => boolean>> = {
  machine: () => true,
  // No rule asks it.
  clock: () => false,
  logs: () => true,
  "other users": ({ group, user }) => user !== null || group !== null,
  sd_notify: ({ readiness }) => readiness === "notify",
  namespaces: ({ isolation, sandboxRuntime }) =>
    isolation === "namespace" || isolation === "sandbox" && sandboxRuntime === "bubblewrap",
  // A supervisor that is not root needs them for its own; whether it has them is tried with the others.
  "user namespaces": () => false,
  gVisor: ({ isolation, sandboxRuntime }) => isolation === "sandbox" && sandboxRuntime === "gvisor",
  // Without any, processes are tracked by their session.
  cgroups: () => false,
  "memory limits": ({ memoryLimitBytes }) => memoryLimitBytes !== null,
  "CPU limits": ({ cpuLimit, cpuShares }) => cpuLimit !== null || cpuShares !== null,
  "pids limits": ({ pidsLimit }) => pidsLimit !== null
}

const abilities = Object.keys(needs) as ReadonlyArray<Ability>

// What the supervisor holds open by itself, with room for those who ask it; and for a run: two FIFOs, the log that they
// are written to, and a probe under way.
const filesOfSupervisor = 64
const filesOfInstance = 4

/**
 * How many files the supervisor of so many instances may have to hold open.
 *
 * @since 0.1.0
 * @category combinators
 */
export const filesFor = (instances: number): number => filesOfSupervisor + filesOfInstance * instances

const openFiles = (limit: number, instances: number): Fact => {
  const needed = filesFor(instances)
  const what = `at most ${limit}; ${instances} instances take up to ${needed}`
  return limit >= needed
    ? has(instances === 0 ? `at most ${limit}` : what)
    : lacks(what, `ulimit -n ${needed} before \`tenement serve\`; LimitNOFILE=${needed} in a unit of systemd`)
}

const socketPaths = (config: TenementConfig): ReadonlyArray<NamedFact> => {
  const longest = Claims.longestSocket(config)
  return longest === undefined ? [] : [{
    about: "socket paths",
    fact: has(`the longest, of ${longest.owner}, has ${longest.bytes} of ${Claims.mostBytes} bytes`),
    services: [...config.services.keys()]
  }]
}

/**
 * All that is to be said, good and bad.
 *
 * @since 0.1.0
 * @category combinators
 */
export const findings = (host: HostFacts, site: Site | null): ReadonlyArray<Finding> => {
  const services = [...site?.config.services.values() ?? []]
  const names = services.map(({ name }) => name)
  const instances = services.reduce((sum, service) => sum + service.instances.length, 0)
  return [
    ...abilities.map((about) => ({
      about,
      fact: host.abilities[about],
      services: services.filter(needs[about]).map(({ name }) => name)
    })),
    { about: "open files", fact: openFiles(host.openFiles, instances), services: names },
    ...(site === null ? [] : [...socketPaths(site.config), ...site.named])
  ].map(finding)
}

/**
 * Those that keep a service from being started.
 *
 * @since 0.1.0
 * @category combinators
 */
export const errors = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.filter(({ level }) => level === "error")

/**
 * Those that somebody who only checks the file should hear of: what is not well, and needed by a service.
 *
 * @since 0.1.0
 * @category combinators
 */
export const concerns = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.filter(({ level, services }) => level !== "ok" && services.length > 0)
