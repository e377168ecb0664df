/**
 * Start and stop order of things that depend on each other.
 *
 * @since 0.1.0
 */

/**
 * For each name, the names that must be ready before it.
 *
 * @since 0.1.0
 * @category models
 */
export type Graph<Id extends string> = ReadonlyMap<Id, ReadonlyArray<Id>>

/**
 * One cycle of the graph, first name repeated at the end (`a → b → a`), or `undefined` if there is none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const findCycle = <Id extends string>(graph: Graph<Id>): ReadonlyArray<Id> | undefined => {
  const done = new Set<Id>()
  // The way from a root to where the search is; a chain can be longer than a recursion's stack is deep.
  const path: Array<{ readonly id: Id; readonly rest: Iterator<Id> }> = []
  const onPath = new Set<Id>()
  const enter = (id: Id): void => {
    path.push({ id, rest: (graph.get(id) ?? [])[Symbol.iterator]() })
    onPath.add(id)
  }
  for (const root of graph.keys()) {
    if (!done.has(root)) enter(root)
    for (let current = path.at(-1); current !== undefined; current = path.at(-1)) {
      const next = current.rest.next()
      if (next.done === true) {
        path.pop()
        onPath.delete(current.id)
        done.add(current.id)
      } else if (onPath.has(next.value)) {
        const names = path.map(({ id }) => id)
        return [...names.slice(names.indexOf(next.value)), next.value]
      } else if (!done.has(next.value)) enter(next.value)
    }
  }
  return undefined
}

/**
 * The names in waves: each depends only on names in earlier waves, so that the members of one wave can be started
 * together, and stopped together going backwards. A wave is in the graph's own order. Names that are depended on but are not keys of the graph are left
 * out. The graph must have no cycle; members of one are left out too.
 *
 * @since 0.1.0
 * @category combinators
 */
export const waves = <Id extends string>(graph: Graph<Id>): ReadonlyArray<ReadonlyArray<Id>> => {
  const place = new Map<Id, number>()
  const dependents = new Map<Id, Array<Id>>()
  const missing = new Map<Id, number>()
  for (const [id, dependencies] of graph) {
    const known = dependencies.filter((dependency) => graph.has(dependency))
    place.set(id, place.size)
    missing.set(id, known.length)
    for (const dependency of known) {
      const waiting = dependents.get(dependency)
      if (waiting === undefined) dependents.set(dependency, [id])
      else waiting.push(id)
    }
  }
  const result: Array<ReadonlyArray<Id>> = []
  let wave = [...graph.keys()].filter((id) => missing.get(id) === 0)
  while (wave.length > 0) {
    result.push(wave)
    const next: Array<Id> = []
    for (const id of wave.flatMap((id) => dependents.get(id) ?? [])) {
      const left = (missing.get(id) ?? 0) - 1
      missing.set(id, left)
      if (left === 0) next.push(id)
    }
    wave = next.sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0))
  }
  return result
}
