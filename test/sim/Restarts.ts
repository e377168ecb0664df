/** The rules of automatic restarts: their delays, their order, and how many there may be. */
import type { ServiceConfig } from "../../src/domain/Config.ts"
import type { InstanceName } from "../../src/domain/Names.ts"
import type { Transition } from "./Heard.ts"
import type { Witness } from "./Witness.ts"

const well = new Set(["running", "healthy"])

export class Restarts {
  private readonly witness: Witness
  private readonly waitingSince = new Map<InstanceName, number>()
  private readonly times = new Map<InstanceName, Array<{ readonly at: number; readonly isCounted: boolean }>>()
  private readonly attempts = new Map<InstanceName, number>()
  private readonly wellSince = new Map<InstanceName, number>()
  private readonly stableFor = new Map<InstanceName, number>()
  /** Automatic restarts since the instance was made. */
  private readonly counts = new Map<InstanceName, number>()
  /** When a supervisor went that may not have come to tell its last. */
  private readonly gone: Array<number> = []

  constructor(witness: Witness) {
    this.witness = witness
  }

  countOf(name: InstanceName): number {
    return this.counts.get(name) ?? 0
  }

  /** The supervisor is another one: how long something is well for it, nobody knows. */
  forgetStability(): void {
    this.gone.push(this.witness.now())
    for (const name of this.wellSince.keys()) this.attempts.delete(name)
    this.wellSince.clear()
  }

  /** Everything is started anew, and nothing in a row. */
  forgetAttempts(): void {
    this.attempts.clear()
  }

  /** A person wants it to run: what waits for others goes on waiting, of which nothing is told, and begins anew. */
  beginAnew(name: InstanceName): void {
    this.attempts.delete(name)
  }

  /** What was not on the disk is lost, and with it how often something was restarted. */
  forgetCounts(): void {
    this.times.clear()
    this.attempts.clear()
    this.waitingSince.clear()
  }

  /** A new instance of the name: what was before is another one's. */
  forget(name: InstanceName): void {
    for (const known of [this.times, this.attempts, this.stableFor, this.waitingSince, this.counts]) known.delete(name)
  }

  hear(event: Transition): void {
    const { cause, instance, to } = event
    this.stability(event)
    this.delay(event)
    this.intensity(event)
    const isAutomatic = cause._tag === "BackoffElapsed" || cause._tag === "GroupRound"
    if (to === "starting" && isAutomatic) this.counts.set(instance, this.countOf(instance) + 1)
  }

  /** No automatic restart comes before its delay is over, and the delay is what the schedule says. */
  private delay({ cause, from, instance, to }: Transition): void {
    const { witness } = this
    const at = witness.now()
    if (to === "backoff" && from !== "backoff") this.waitingSince.set(instance, at)
    if (cause._tag === "Idle") this.attempts.delete(instance)
    // Who is killed in between may not get to tell that it starts again.
    if (cause._tag === "Person" || cause._tag === "Reload") this.attempts.delete(instance)
    // The round of a group is the next restart of who is waiting for one, and does not tell which.
    if (cause._tag === "GroupRound" && from === "backoff") this.attempts.delete(instance)
    if (cause._tag !== "BackoffElapsed") return
    const { afterMs, attempt } = cause
    const since = this.waitingSince.get(instance)
    if (since !== undefined && at - since < afterMs - 1) {
      witness.fail(`${instance} was started again after ${at - since} ms, and its delay was ${afterMs} ms`)
    }
    const configs = witness.configsOf(instance)
    const isOf = ({ backoffBaseMs, backoffJitter, backoffMaxMs }: ServiceConfig) => {
      const nominal = Math.min(backoffBaseMs * 2 ** attempt, backoffMaxMs)
      const slack = nominal * backoffJitter + 1e-6
      return afterMs >= nominal - slack && afterMs <= nominal + slack
    }
    if (!configs.some(isOf)) witness.fail(`${instance} waited ${afterMs} ms for restart ${attempt} in a row`)
    const before = this.attempts.get(instance)
    if (before !== undefined && attempt === 0 && before > 0) witness.reach("the backoff begins anew")
    const isCapped = ({ backoffBaseMs, backoffMaxMs }: ServiceConfig) => backoffBaseMs * 2 ** attempt >= backoffMaxMs
    if (configs.some((config) => isCapped(config) && isOf(config))) {
      witness.reach("the longest delay")
      if (configs.every(({ backoffJitter }) => backoffJitter > 0)) witness.reach("the longest delay, with jitter")
    }
    this.order(instance, before, attempt)
    this.attempts.set(instance, attempt)
    this.stableFor.set(instance, 0)
  }

  /** Each restart in a row is the next one, until it was well for long enough. */
  private order(instance: InstanceName, before: number | undefined, attempt: number): void {
    if (before === undefined) return
    const needed = this.witness.configsOf(instance).map(({ stableAfterMs }) => stableAfterMs)
    const stable = this.stableFor.get(instance) ?? 0
    if (attempt === before + 1) {
      if (stable > Math.max(...needed) + this.witness.slackMs()) {
        this.witness.fail(`${instance}: restart ${attempt} in a row, and it was well for ${stable} ms`)
      }
    } else if (attempt !== 0 || stable < Math.min(...needed)) {
      this.witness.fail(
        `${instance}: restart ${attempt} in a row after restart ${before}, and it was well for ${stable} ms`
      )
    }
  }

  /** For how long it was well without an interruption. */
  private stability({ from, instance, to }: Transition): void {
    const at = this.witness.now()
    const since = this.wellSince.get(instance)
    if (well.has(from) && since !== undefined) {
      this.stableFor.set(instance, Math.max(this.stableFor.get(instance) ?? 0, at - since))
    }
    if (well.has(to)) this.wellSince.set(instance, at)
    else this.wellSince.delete(instance)
  }

  /** Never more automatic restarts in any window than are allowed, and nobody given up before. */
  private intensity({ cause, from, instance }: Transition): void {
    if (from === "failed") this.times.delete(instance)
    if (cause._tag === "IntensityExceeded") this.isDue(instance)
    if (cause._tag !== "BackoffElapsed") return
    const at = this.witness.now()
    const configs = this.witness.configsOf(instance)
    // Where there is no limit nothing is counted, and beyond a window nothing is kept, also not for what a later file may say.
    const isLimited = configs.every(({ maxRestarts }) => Number.isFinite(maxRestarts))
    const since = at - Math.min(...configs.map(({ restartWindowMs }) => restartWindowMs))
    const known = (this.times.get(instance) ?? []).map((one) => ({
      at: one.at,
      isCounted: one.isCounted && one.at >= since
    }))
    const all = [...known, { at, isCounted: isLimited }]
    this.times.set(instance, all)
    const isTooMany = ({ maxRestarts, restartWindowMs }: ServiceConfig) =>
      all.filter((one) => one.isCounted && one.at >= at - restartWindowMs).length > maxRestarts
    if (configs.length > 0 && configs.every(isTooMany)) {
      this.witness.fail(`${instance} was restarted once more than it may be: ${all.map(({ at }) => at).join(", ")}`)
    }
  }

  private isDue(instance: InstanceName): void {
    if (this.witness.isLossy) return
    const at = this.witness.now()
    const isEarly = ({ maxRestarts, restartWindowMs }: ServiceConfig) => {
      const isWithin = (one: number) => one >= at - restartWindowMs
      const restarted = (this.times.get(instance) ?? []).map(({ at }) => at)
      return [...restarted, ...this.gone].filter(isWithin).length < maxRestarts
    }
    const configs = this.witness.configsOf(instance)
    if (configs.length > 0 && configs.every(isEarly)) {
      this.witness.fail(`${instance} was given up after ${this.times.get(instance)?.length ?? 0} restarts`)
    }
  }
}
