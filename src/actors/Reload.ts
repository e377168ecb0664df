/**
 * From the difference of two configurations to what a reload does, as it is told to a person.
 *
 * @since 0.1.0
 */
import type { ConfigDiff } from "../domain/ConfigDiff.ts"
import { instanceName } from "../domain/Names.ts"
import type { ReloadPlan } from "../domain/Views.ts"

type Change = ReloadPlan["changes"][number]

/**
 * One entry for each service, instance and group that something happens to, and one for the routing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const changes = (diff: ConfigDiff): ReadonlyArray<Change> => {
  const changes: Array<Change> = []
  for (const { addedInstances, keys, kind, removedInstances, service } of diff.services) {
    if (kind === "added") changes.push({ subject: service, action: "start", keys })
    else if (kind === "removed") changes.push({ subject: service, action: "stop", keys })
    else {
      const own = keys.filter(({ key }) => key !== "instances")
      if (own.length > 0) changes.push({ subject: service, action: kind, keys: own })
      for (const id of addedInstances) changes.push({ subject: instanceName(service, id), action: "start", keys: [] })
      for (const id of removedInstances) changes.push({ subject: instanceName(service, id), action: "stop", keys: [] })
    }
  }
  for (const { group, keys } of diff.groups) changes.push({ subject: `group ${group}`, action: "update", keys })
  if (diff.routing.length > 0) changes.push({ subject: "routing", action: "update", keys: diff.routing })
  return changes
}
