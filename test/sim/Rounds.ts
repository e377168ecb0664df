/** The order of a group's rounds: down from the last to the first, up from the first to the last, and not both at once. */
import type { GroupConfig } from "../../src/domain/Config.ts"
import { type GroupName, type InstanceName, parts } from "../../src/domain/Names.ts"
import type { Transition } from "./Heard.ts"
import type { Witness } from "./Witness.ts"

export class Rounds {
  private readonly witness: Witness
  private readonly failedAt = new Map<InstanceName, number>()
  private readonly inRound = new Set<InstanceName>()
  /** Whose run was asked for, in the middle of a round perhaps, which leaves it then. */
  private readonly asked = new Set<InstanceName>()

  constructor(witness: Witness) {
    this.witness = witness
  }

  hear({ cause, instance, to }: Transition): void {
    if (to === "backoff") this.failedAt.set(instance, this.witness.now())
    if (cause._tag === "LaunchFailed" && this.inRound.has(instance)) {
      this.witness.reach("a start that fails in a round of the group")
    }
    this.inRound.delete(instance)
    if (to === "starting" && (cause._tag === "Person" || cause._tag === "Reload")) this.asked.add(instance)
    else if (to === "starting" && cause._tag !== "DependenciesReady") this.asked.delete(instance)
    if (cause._tag !== "GroupRound") return
    if (to === "starting") this.inRound.add(instance)
    if (to === "starting" || to === "stopping") this.order(instance, cause.failed, to)
  }

  /** Who comes later was stopped before, unless it was started since. */
  private order(instance: InstanceName, failed: InstanceName, to: "starting" | "stopping"): void {
    const { service } = parts(instance)
    const groups = this.witness.config()?.groups ?? new Map<GroupName, GroupConfig>()
    const group = [...groups.values()].find(({ services }) => services.includes(service))
    const since = this.failedAt.get(failed)
    if (group === undefined || group.strategy === "one-for-one" || since === undefined) return
    const later = new Set(group.services.slice(group.services.indexOf(service) + 1))
    const left = this.witness.machine().living.find((child) =>
      later.has(parts(child.instance).service) && child.startedAtMs < since && !this.asked.has(child.instance)
    )
    if (left !== undefined) {
      this.witness.fail(`a round after the end of ${failed} has ${instance} ${to} while ${left.instance} still runs`)
    }
    this.witness.reach(`a round of the group has a member ${to}`)
  }
}
