/**
 * What can be wrong where one part of the configuration names another.
 *
 * @since 0.1.0
 */
import { findCycle, type Graph } from "../domain/Dependencies.ts"
import type { ServiceName } from "../domain/Names.ts"
import { type Declarations, declares, within } from "./Declarations.ts"
import { didYouMean } from "./Nearest.ts"
import { atBoth, atKey, atValue, type Place, type Problem } from "./Problem.ts"

const unknown = (name: string, { serviceNames }: Declarations): string | undefined =>
  serviceNames.has(name) ? undefined : `there is no service ${JSON.stringify(name)}${didYouMean(name, serviceNames)}`

const dependencies = (all: Declarations): ReadonlyArray<Problem> =>
  [...all.services.values()].flatMap((declaration) =>
    declaration.value.depends_on.flatMap((name, index) => {
      const message = unknown(name, all)
      const { path, source } = within(declaration, "depends_on", index)
      return message === undefined ? [] : [atValue(source, path, message)]
    })
  )

const members = (all: Declarations): ReadonlyArray<Problem> => {
  const taken = new Map<ServiceName, Place>()
  const problems: Array<Problem> = []
  for (const [group, declaration] of all.groups) {
    for (const [index, name] of declaration.value.services.entries()) {
      const place = within(declaration, "services", index)
      const message = unknown(name, all)
      const earlier = taken.get(name)
      if (message !== undefined) problems.push(atValue(place.source, place.path, message))
      else if (earlier === undefined) taken.set(name, place)
      else if (earlier.path[1] !== group) {
        problems.push(atBoth(place, earlier, `${name} is in the group ${earlier.path[1]} too; it can be in one only`))
      }
    }
  }
  return problems
}

const instances = (all: Declarations): ReadonlyArray<Problem> =>
  [...all.instances].flatMap(([name, declaration]) => {
    const { path, source } = declaration
    const message = unknown(name, all)
    if (message !== undefined) return [atKey(source, path, message)]
    const service = all.services.get(name)
    return service !== undefined && declares(service, "instances")
      ? [
        atBoth(
          declaration,
          within(service, "instances"),
          "the service has a key `instances` of its own; keep one of them"
        )
      ]
      : []
  })

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

/** Points at a member that says what it depends on. */
const inCycle = (all: Declarations, cycle: ReadonlyArray<ServiceName>, message: string): ReadonlyArray<Problem> => {
  const links = cycle.slice(1).map((to, index) => ({ service: all.services.get(cycle[index] ?? to), to }))
  const link = links.find(({ service, to }) => service?.value.depends_on.includes(to))
  if (link?.service === undefined) return []
  const { path, source } = within(link.service, "depends_on", link.service.value.depends_on.indexOf(link.to))
  return [atValue(source, path, message)]
}

const cycles = (all: Declarations): ReadonlyArray<Problem> => {
  const dependsOn = new Map([...all.services].map(([name, { value }]) => [name, value.depends_on] as const))
  const found = cyclesIn(dependsOn)
  if (found.length > 0) {
    return found.flatMap((cycle) => inCycle(all, cycle, `these wait for each other: ${drawn(cycle)}`))
  }
  const ordered = new Map(dependsOn)
  for (const { value: { services } } of all.groups.values()) {
    for (const [index, name] of services.entries()) {
      const before = services[index - 1]
      if (before !== undefined && before !== name) ordered.set(name, [...(ordered.get(name) ?? []), before])
    }
  }
  return cyclesIn(ordered).flatMap((cycle) =>
    inCycle(all, cycle, `contradicts the start order of a group: ${drawn(cycle)}, each to start after the next`)
  )
}

/**
 * What is wrong.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = (all: Declarations): ReadonlyArray<Problem> => [
  ...dependencies(all),
  ...members(all),
  ...instances(all),
  ...cycles(all)
]
