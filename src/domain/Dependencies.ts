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
 * together, and stopped together going backwards. Names that are depended on but are not keys of the graph are left
 * out. The graph must have no cycle; members of one are left out too.
 *
 * @since 0.1.0
 * @category combinators
 */
export const waves = <Id extends string>(graph: Graph<Id>): ReadonlyArray<ReadonlyArray<Id>> => {
  const result: Array<ReadonlyArray<Id>> = []
  const placed = new Set<Id>()
  let rest = [...graph.keys()]
  while (rest.length > 0) {
    const wave = rest.filter((id) => (graph.get(id) ?? []).every((dep) => placed.has(dep) || !graph.has(dep)))
    if (wave.length === 0) break
    for (const id of wave) placed.add(id)
    result.push(wave)
    rest = rest.filter((id) => !placed.has(id))
  }
  return result
}
