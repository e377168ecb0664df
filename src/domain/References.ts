/**
 * What can be wrong where one part of a configuration names another.
 *
 * @since 0.1.0
 */
import type { TenementConfig } from "./Config.ts"
import { findCycle, type Graph } from "./Dependencies.ts"
import { type Fault, fault, type Path } from "./Fault.ts"
import type { ServiceName } from "./Names.ts"
import { didYouMean } from "./Nearest.ts"
import * as Routing from "./Routing.ts"

/**
 * What is wrong with a name that is no service's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unknownService = (name: string, names: ReadonlySet<string>): string | undefined =>
  names.has(name) ? undefined : `there is no service ${JSON.stringify(name)}${didYouMean(name, names)}`

const dependencies = ({ services }: TenementConfig, names: ReadonlySet<string>): ReadonlyArray<Fault> =>
  [...services.values()].flatMap(({ dependsOn, name: service }) =>
    dependsOn.flatMap((name, index) => {
      const message = unknownService(name, names)
      return message === undefined ? [] : [fault(["service", service, "dependsOn", index], message)]
    })
  )

const members = ({ groups }: TenementConfig, names: ReadonlySet<string>): ReadonlyArray<Fault> => {
  const taken = new Map<ServiceName, Path>()
  const faults: Array<Fault> = []
  for (const { name: group, services } of groups.values()) {
    for (const [index, name] of services.entries()) {
      const path = ["group", group, "services", index]
      const message = unknownService(name, names)
      const other = taken.get(name)
      if (message !== undefined) faults.push(fault(path, message))
      else if (other === undefined) taken.set(name, path)
      else if (other[1] !== group) {
        faults.push(fault(path, `${name} is in the group ${other[1]} too; it can be in one only`, { other }))
      }
    }
  }
  return faults
}

const shownCycles = 10

/** Some cycles that have no member in common. */
const cyclesIn = (graph: Graph<ServiceName>): ReadonlyArray<ReadonlyArray<ServiceName>> => {
  const cycles: Array<ReadonlyArray<ServiceName>> = []
  let rest = graph
  for (let cycle = findCycle(rest); cycle !== undefined && cycles.length < shownCycles; cycle = findCycle(rest)) {
    const members = new Set(cycle)
    cycles.push(cycle)
    rest = new Map([...rest].filter(([name]) => !members.has(name)))
  }
  return cycles
}

const longestShown = 12

const drawn = (cycle: ReadonlyArray<ServiceName>): string =>
  (cycle.length <= longestShown ? cycle : [...cycle.slice(0, longestShown - 2), "…", ...cycle.slice(-1)]).join(" -> ")

const cycles = ({ groups, services }: TenementConfig): ReadonlyArray<Fault> => {
  const dependsOn = new Map([...services.values()].map(({ dependsOn, name }) => [name, dependsOn]))
  /** Points at a member that says what it depends on. */
  const inCycle = (cycle: ReadonlyArray<ServiceName>, message: string): ReadonlyArray<Fault> => {
    for (const [index, name] of cycle.entries()) {
      const next = cycle[index + 1]
      const link = next === undefined ? -1 : dependsOn.get(name)?.indexOf(next) ?? -1
      if (link >= 0) return [fault(["service", name, "dependsOn", link], message)]
    }
    return []
  }
  const found = cyclesIn(dependsOn)
  if (found.length > 0) return found.flatMap((cycle) => inCycle(cycle, `these wait for each other: ${drawn(cycle)}`))
  const ordered = new Map(dependsOn)
  for (const { services } of groups.values()) {
    for (const [index, name] of services.entries()) {
      const before = services[index - 1]
      if (before !== undefined && before !== name) ordered.set(name, [...(ordered.get(name) ?? []), before])
    }
  }
  return cyclesIn(ordered).flatMap((cycle) =>
    inCycle(cycle, `contradicts the start order of a group: ${drawn(cycle)}, each to start after the next`)
  )
}

const subdomain = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/

const routes = ({ routing }: TenementConfig, names: ReadonlySet<string>): ReadonlyArray<Fault> => {
  const to = (path: Path, service: string) => {
    const message = unknownService(service, names)
    return message === undefined ? [] : [fault(path, message)]
  }
  return [
    ...(routing.default === null ? [] : to(["routing", "default"], routing.default)),
    ...Object.entries(routing.subdomain).flatMap(([name, service]) => [
      ...to(["routing", "subdomain", name], service),
      ...(subdomain.test(name)
        ? []
        : [fault(["routing", "subdomain", name], "no host has this name, allowed: a-z, 0-9, -, _ and dots between")])
    ]),
    ...Object.entries(routing.path).flatMap(([prefix, service]) => {
      const path = ["routing", "path", prefix]
      const own = Routing.reserved.find((own) => Routing.isBelow(prefix, own))
      return [
        ...to(path, service),
        ...(/^\/[!-~]*$/.test(prefix) && !/[?#]/.test(prefix)
          ? []
          : [fault(path, "no path begins like this, allowed: a path that begins with / (\"/shop\")")]),
        ...(own === undefined ? [] : [fault(path, `${own} is the supervisor's own; use a subdomain for this one`)])
      ]
    })
  ]
}

/**
 * What is wrong; `names` are all that count as services.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faults = (config: TenementConfig, names: ReadonlySet<string>): ReadonlyArray<Fault> => [
  ...dependencies(config, names),
  ...members(config, names),
  ...cycles(config),
  ...routes(config, names)
]
