/** What must hold after every event of a simulated life, judged from what really happened and not from what is believed. */
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { type InstanceName, parts } from "../../src/domain/Names.ts"
import type { NewEvent } from "../../src/layers/Events.ts"
import type { Machine } from "../../src/testkit/Machine.ts"

type Transition = Extract<NewEvent, { readonly _tag: "Transition" }>

const well = new Set(["running", "healthy"])
const up = new Set(["running", "healthy", "degraded", "unhealthy"])

/** Hears all transitions, and collects what is wrong with them. */
export class Invariants {
  readonly violations: Array<string> = []
  /** What was reached at least once. */
  readonly reached = new Set<string>()
  /** Instances that a person has stopped or removed, and was told so: nothing is started for them. */
  readonly forbidden = new Map<InstanceName, "stopped" | "removed">()
  private readonly variants: ReadonlyArray<TenementConfig>
  private readonly now: () => number
  private readonly machine: () => Machine
  private readonly shown = new Map<InstanceName, string>()
  private readonly waitingSince = new Map<InstanceName, number>()
  private readonly restarts = new Map<InstanceName, Array<number>>()
  private readonly attempts = new Map<InstanceName, number>()
  private readonly wellSince = new Map<InstanceName, number>()
  private readonly stableFor = new Map<InstanceName, number>()

  constructor(variants: ReadonlyArray<TenementConfig>, now: () => number, machine: () => Machine) {
    this.variants = variants
    this.now = now
    this.machine = machine
  }

  /** The label that an instance was seen with last. */
  stateOf(name: InstanceName): string {
    return this.shown.get(name) ?? "stopped"
  }

  /** The supervisor is another one: what it has not told, nobody has. */
  forgetShown(): void {
    for (const name of this.wellSince.keys()) this.attempts.delete(name)
    this.wellSince.clear()
    this.shown.clear()
  }

  /** Everything is started anew, and nothing in a row. */
  forgetAttempts(): void {
    this.attempts.clear()
  }

  /** What was not on the disk is lost, and with it how often something was restarted. */
  forgetCounts(): void {
    this.restarts.clear()
    this.attempts.clear()
    this.waitingSince.clear()
  }

  fail(message: string): void {
    this.violations.push(`at ${this.now()} ms: ${message}`)
  }

  readonly mayStart = (name: InstanceName): string | null => {
    const intent = this.forbidden.get(name)
    return intent === undefined ? null : `at ${this.now()} ms: ${name} was started, and it was to be ${intent}`
  }

  readonly hear = (event: NewEvent): void => {
    if (event._tag === "Notice") {
      if (event.message.includes("defect")) this.reached.add("an actor has a defect")
      return
    }
    this.continuity(event)
    this.truth(event)
    this.stability(event)
    this.delay(event)
    this.intensity(event)
    this.reached.add(`${event.from} to ${event.to}`)
    this.reached.add(`because of ${event.cause._tag}`)
  }

  /** Each transition begins where the one before it ended. */
  private continuity({ from, instance, to }: Transition): void {
    const before = this.shown.get(instance)
    // A file that brings a health check, or takes it away, gives another name to the same.
    const isRenamed = before !== undefined && up.has(before) && up.has(from)
    if (before !== undefined && before !== from && !isRenamed) {
      this.fail(`${instance} goes from ${from} to ${to}, and was ${before}`)
    }
    this.shown.set(instance, to)
  }

  /** No end is told otherwise than it was: above all none that nobody saw, or that failed, as a success. */
  private truth({ cause, incarnation, instance }: Transition): void {
    if (cause._tag !== "Exited" || cause.status.code === null) return
    const child = this.machine().children.findLast((one) =>
      one.instance === instance && one.incarnation === incarnation
    )
    if (child?.status?.code !== cause.status.code) {
      this.fail(`${instance} is said to have ended with ${cause.status.code}: ${JSON.stringify(child?.status)}`)
    }
  }

  private configsOf(name: InstanceName): ReadonlyArray<ServiceConfig> {
    return this.variants.flatMap(({ services }) => services.get(parts(name).service) ?? [])
  }

  /** No automatic restart comes before its delay is over, and the delay is what the schedule says. */
  private delay({ cause, from, instance, to }: Transition): void {
    const at = this.now()
    if (to === "backoff" && from !== "backoff") this.waitingSince.set(instance, at)
    if ((cause._tag === "Person" || cause._tag === "Reload") && to === "starting") this.attempts.delete(instance)
    if (cause._tag !== "BackoffElapsed") return
    const since = this.waitingSince.get(instance)
    if (since !== undefined && at - since < cause.afterMs - 1) {
      this.fail(`${instance} was started again after ${at - since} ms, and its delay was ${cause.afterMs} ms`)
    }
    const delays = this.configsOf(instance).map(({ backoffBaseMs, backoffMaxMs }) =>
      Math.min(backoffBaseMs * 2 ** cause.attempt, backoffMaxMs)
    )
    if (!delays.includes(cause.afterMs)) {
      this.fail(
        `${instance} waited ${cause.afterMs} ms for restart ${cause.attempt} in a row, not ${delays.join(" or ")}`
      )
    }
    const before = this.attempts.get(instance)
    if (before !== undefined && cause.attempt === 0 && before > 0) this.reached.add("the backoff begins anew")
    if (this.configsOf(instance).some(({ backoffMaxMs }) => backoffMaxMs === cause.afterMs)) {
      this.reached.add("the longest delay")
    }
    this.order(instance, before, cause.attempt)
    this.attempts.set(instance, cause.attempt)
    this.stableFor.set(instance, 0)
  }

  /** Each restart in a row is the next one, until it was well for long enough. */
  private order(instance: InstanceName, before: number | undefined, attempt: number): void {
    if (before === undefined || attempt === before + 1) return
    const needed = Math.min(...this.configsOf(instance).map(({ stableAfterMs }) => stableAfterMs))
    const stable = this.stableFor.get(instance) ?? 0
    if (attempt !== 0 || stable < needed) {
      this.fail(`${instance}: restart ${attempt} in a row after restart ${before}, and it was well for ${stable} ms`)
    }
  }

  /** For how long it was well without an interruption. */
  private stability({ from, instance, to }: Transition): void {
    const at = this.now()
    const since = this.wellSince.get(instance)
    if (well.has(from) && since !== undefined) {
      this.stableFor.set(instance, Math.max(this.stableFor.get(instance) ?? 0, at - since))
    }
    if (well.has(to)) this.wellSince.set(instance, at)
    else this.wellSince.delete(instance)
  }

  /** Never more automatic restarts in any window than are allowed. */
  private intensity({ cause, from, instance }: Transition): void {
    if (from === "failed") this.restarts.delete(instance)
    if (cause._tag !== "BackoffElapsed") return
    const at = this.now()
    const all = [...this.restarts.get(instance) ?? [], at]
    this.restarts.set(instance, all)
    const isTooMany = ({ maxRestarts, restartWindowMs }: ServiceConfig) =>
      all.filter((one) => one >= at - restartWindowMs).length > maxRestarts
    const configs = this.configsOf(instance)
    if (configs.length > 0 && configs.every(isTooMany)) {
      this.fail(`${instance} was restarted once more than it may be: ${all.join(", ")}`)
    }
  }

  /** A new instance of the name: what was before is another one's. */
  forget(name: InstanceName): void {
    this.restarts.delete(name)
    this.attempts.delete(name)
    this.stableFor.delete(name)
    this.waitingSince.delete(name)
    this.shown.delete(name)
  }

  /** What can be seen at any moment. */
  look(): void {
    const machine = this.machine()
    this.violations.push(...machine.violations.splice(0))
    for (const { instance, signals } of machine.children) {
      if (signals.filter((signal) => signal === "SIGTERM").length > 1) {
        this.fail(`${instance} got its stop signal twice`)
        signals.length = 0
      }
    }
  }
}
