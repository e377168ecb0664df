/**
 * What differs between two configurations, key by key: what a reload does, and what it says before it does it.
 *
 * @since 0.1.0
 */
import type { GroupConfig, ServiceConfig, TenementConfig } from "./Config.ts"
import * as Keys from "./ConfigKeys.ts"
import type { GroupName, InstanceId, ServiceName } from "./Names.ts"

/**
 * A key with its old and its new value as the file would show them. Secrets are told by name only.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyChange {
  readonly key: string
  readonly from: string
  readonly to: string
}

/**
 * What happens to a service: `restart` if its processes must be replaced to follow the file, `update` if the new values
 * hold from now on without that. The instances are those that the file starts, before and after.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceChange {
  readonly service: ServiceName
  readonly kind: "added" | "removed" | "restart" | "update"
  readonly keys: ReadonlyArray<KeyChange>
  readonly addedInstances: ReadonlyArray<InstanceId>
  readonly removedInstances: ReadonlyArray<InstanceId>
}

/**
 * What happens to a group.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroupChange {
  readonly group: GroupName
  readonly kind: "added" | "removed" | "update"
  readonly keys: ReadonlyArray<KeyChange>
}

/**
 * All that differs. Changes of `settings` need another supervisor.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigDiff {
  readonly settings: ReadonlyArray<KeyChange>
  readonly services: ReadonlyArray<ServiceChange>
  readonly groups: ReadonlyArray<GroupChange>
  readonly routing: ReadonlyArray<KeyChange>
}

const absent = "(none)"

const written = (value: Keys.Value | undefined): string =>
  value === null || value === undefined ? absent : JSON.stringify(value)

type Names = Readonly<Record<string, string>>

const own = (record: Names, name: string): string | undefined => Object.hasOwn(record, name) ? record[name] : undefined

const namesIn = (from: Names, to: Names): ReadonlyArray<string> =>
  [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((name) => own(from, name) !== own(to, name))

const variableChanges = (from: ServiceConfig, to: ServiceConfig): ReadonlyArray<KeyChange> =>
  namesIn(from.env, to.env).map((name) => ({
    key: `env.${name}`,
    from: written(own(from.env, name)),
    to: written(own(to.env, name))
  }))

const secretChanges = (from: ServiceConfig, to: ServiceConfig): ReadonlyArray<KeyChange> =>
  namesIn(from.secrets, to.secrets).map((name) => ({
    key: `env_file ${name}`,
    from: own(from.secrets, name) === undefined ? absent : "(hidden)",
    to: own(to.secrets, name) === undefined ? absent : own(from.secrets, name) === undefined ? "(hidden)" : "(changed)"
  }))

const keyChanges = <A>(keys: ReadonlyArray<Keys.Key<A>>, from: A, to: A): ReadonlyArray<KeyChange> =>
  keys.flatMap(({ name, read }) => {
    const change = { key: name, from: written(read(from)), to: written(read(to)) }
    return change.from === change.to ? [] : [change]
  })

const restartKeys = Keys.service.filter((key) => key.effort === "restart" && key.name !== "env")
const updateKeys = Keys.service.filter((key) => key.effort === "update")

/**
 * All of a service that its processes have to be replaced to follow, in words that are the same when it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const restartText = (service: ServiceConfig): string =>
  JSON.stringify([restartKeys.map(({ read }) => read(service)), service.env, service.secrets])

const serviceChange = (from: ServiceConfig, to: ServiceConfig): ServiceChange | undefined => {
  const restart = [...keyChanges(restartKeys, from, to), ...variableChanges(from, to), ...secretChanges(from, to)]
  const keys = [...restart, ...keyChanges(updateKeys, from, to)]
  return keys.length === 0 ? undefined : {
    service: to.name,
    kind: restart.length > 0 ? "restart" : "update",
    keys,
    addedInstances: to.instances.filter((id) => !from.instances.includes(id)),
    removedInstances: from.instances.filter((id) => !to.instances.includes(id))
  }
}

const compare = <K, A, C>(from: ReadonlyMap<K, A>, to: ReadonlyMap<K, A>, on: {
  readonly removed: (old: A) => C
  readonly added: (next: A) => C
  readonly both: (old: A, next: A) => C | undefined
}): ReadonlyArray<C> => {
  const changes: Array<C> = []
  for (const [name, old] of from) if (!to.has(name)) changes.push(on.removed(old))
  for (const [name, next] of to) {
    const old = from.get(name)
    const change = old === undefined ? on.added(next) : on.both(old, next)
    if (change !== undefined) changes.push(change)
  }
  return changes
}

/**
 * What has to be done to go from one configuration to another: removals first, then the order of the new file.
 *
 * @since 0.1.0
 * @category combinators
 */
export const diff = (from: TenementConfig, to: TenementConfig): ConfigDiff => ({
  settings: keyChanges(Keys.settings, from.settings, to.settings),
  services: compare<ServiceName, ServiceConfig, ServiceChange>(from.services, to.services, {
    removed: ({ instances, name }) => ({
      service: name,
      kind: "removed",
      keys: [],
      addedInstances: [],
      removedInstances: instances
    }),
    added: ({ instances, name }) => ({
      service: name,
      kind: "added",
      keys: [],
      addedInstances: instances,
      removedInstances: []
    }),
    both: serviceChange
  }),
  groups: compare<GroupName, GroupConfig, GroupChange>(
    from.groups,
    to.groups,
    {
      removed: ({ name }) => ({ group: name, kind: "removed", keys: [] }),
      added: ({ name }) => ({ group: name, kind: "added", keys: [] }),
      both: (old, next) => {
        const keys = keyChanges(Keys.group, old, next)
        return keys.length === 0 ? undefined : { group: next.name, kind: "update", keys }
      }
    }
  ),
  routing: keyChanges(Keys.routing, from.routing, to.routing)
})
