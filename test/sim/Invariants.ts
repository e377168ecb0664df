/** What must hold after every event of a simulated life, judged from what really happened and not from what is believed. */
import type { Limits } from "../../src/domain/Config.ts"
import { type InstanceName, parts } from "../../src/domain/Names.ts"
import type { NewEvent } from "../../src/layers/Events.ts"
import type { LaunchSpec } from "../../src/layers/Launcher.ts"
import type { Child } from "../../src/testkit/Processes.ts"
import type { Transition } from "./Heard.ts"
import { Restarts } from "./Restarts.ts"
import { Rounds } from "./Rounds.ts"
import type { Witness } from "./Witness.ts"

const up = new Set(["running", "healthy", "degraded", "unhealthy"])

/** Who may be started again, and by what. */
const starters: ReadonlyMap<string, ReadonlyArray<Transition["cause"]["_tag"]>> = new Map([
  ["failed", ["Person", "Reload"]],
  ["completed", ["Person", "Reload", "Boot"]],
  ["stopped", ["Person", "Reload", "Boot", "GroupRound"]],
  ["backoff", ["Person", "Reload", "BackoffElapsed", "GroupRound"]]
])

const limitsOf = ({ cpuLimit, cpuShares, memoryLimitBytes, pidsLimit }: Limits): string =>
  [cpuLimit, cpuShares, memoryLimitBytes, pidsLimit].join()

/** Hears all that is told, sees all that is done to processes, and collects what is wrong with it. */
export class Invariants {
  readonly witness: Witness
  readonly restarts: Restarts
  /** Instances that a person has stopped or removed, and was told so: nothing is started for them. */
  readonly forbidden = new Map<InstanceName, "stopped" | "removed">()
  /** What was told since this supervisor began. */
  readonly heard: Array<NewEvent> = []
  private readonly rounds: Rounds
  private readonly shown = new Map<InstanceName, string>()
  private last: { readonly at: number; readonly instance: InstanceName; readonly tag: string } | null = null
  /** Two things happen at this moment that nothing has put in order. */
  isRace = false

  constructor(witness: Witness) {
    this.witness = witness
    this.restarts = new Restarts(witness)
    this.rounds = new Rounds(witness)
  }

  /** The label that an instance was seen with last. */
  stateOf(name: InstanceName): string {
    return this.shown.get(name) ?? "stopped"
  }

  get states(): ReadonlyMap<InstanceName, string> {
    return this.shown
  }

  /** The supervisor is another one: what it has not told, nobody has. */
  forgetShown(): void {
    this.restarts.forgetStability()
    this.shown.clear()
    this.heard.length = 0
  }

  forget(name: InstanceName): void {
    this.restarts.forget(name)
    this.shown.delete(name)
  }

  readonly mayStart = (spec: LaunchSpec): string | null => {
    const { witness } = this
    const { instance } = spec
    const intent = this.forbidden.get(instance)
    if (intent !== undefined) return `at ${witness.now()} ms: ${instance} was started, and it was to be ${intent}`
    if (!witness.machine().isIsolated(spec)) return `${instance} was started, and nothing had isolated it`
    const limits = spec.cgroup === null || spec.cgroup === undefined ? ",,," : limitsOf(spec.cgroup.limits())
    const isAsked = witness.configsOf(instance).some((config) => limitsOf(config) === limits)
    return isAsked ? null : `${instance} was started, and its limits were not in force: ${limits}`
  }

  /** SIGKILL is for who was asked, and had its time. */
  readonly mayKill = ({ instance, signaledAtMs, startTime }: Child): string | null => {
    const { witness } = this
    // A launch that was cut short is cleared away.
    if (!witness.machine().store.mentions(`"startTime":"${startTime}","endpoint"`)) return null
    const patience = Math.min(...witness.configsOf(instance).map(({ stopTimeoutMs }) => stopTimeoutMs), 10_000)
    if (patience === 0) return null
    const since = signaledAtMs === null ? null : witness.now() - signaledAtMs
    if (since !== null && since >= patience) return null
    return `at ${witness.now()} ms: ${instance} was killed, and ${
      since === null ? "nobody had asked it to stop" : `asked to stop ${since} ms before`
    }`
  }

  readonly hear = (event: NewEvent): void => {
    const { witness } = this
    this.heard.push(event)
    if (event._tag === "Notice") {
      if (event.message.includes("defect")) witness.reach("an actor has a defect")
      if (event.message.includes("left by an earlier supervisor")) witness.reach("an orphan is brought to its end")
      return
    }
    // One of that name was taken away, and this is another.
    if (event.incarnation === 1 && event.from === "stopped" && event.to === "starting") {
      this.restarts.forget(event.instance)
    }
    this.continuity(event)
    this.truth(event)
    this.restarts.hear(event)
    this.rounds.hear(event)
    this.order(event)
    witness.reach(`${event.from} to ${event.to}`)
    witness.reach(`because of ${event.cause._tag}`)
  }

  /** Each transition begins where the one before it ended, and is one that there is. */
  private continuity({ cause, from, instance, to }: Transition): void {
    const before = this.shown.get(instance)
    // A file that brings a health check, or takes it away, gives another name to the same.
    const isRenamed = before !== undefined && up.has(before) && up.has(from)
    if (before !== undefined && before !== from && !isRenamed) {
      this.witness.fail(`${instance} goes from ${from} to ${to}, and was ${before}`)
    }
    if (to === "starting" && starters.get(from)?.includes(cause._tag) === false) {
      this.witness.fail(`${instance} goes from ${from} to ${to} because of ${cause._tag}`)
    }
    this.shown.set(instance, to)
  }

  /** No end is told otherwise than it was: above all none that nobody saw, or that failed, as a success. */
  private truth({ cause, incarnation, instance, to }: Transition): void {
    if (cause._tag !== "Exited") return
    const child = this.witness.machine().children.findLast((one) =>
      one.instance === instance && one.incarnation === incarnation
    )
    const { reason, status } = cause
    if (to === "completed" && child?.status?.code !== 0) {
      this.witness.fail(`${instance} is said to have done its job: ${JSON.stringify(child?.status)}`)
    }
    const isUnknown = status.code === null && status.signal === null
    if (!isUnknown && (child?.status?.code !== status.code || child.status.signal !== status.signal)) {
      const truth = JSON.stringify(child?.status)
      this.witness.fail(`${instance} is said to have ended with ${JSON.stringify(status)}: ${truth}`)
    }
    const isMistaken = ["signaled", "exited"].includes(reason) || (reason === "unknown" && !this.witness.isLossy)
    if (child?.oomKilled === true && isMistaken) {
      this.witness.fail(`${instance} was killed for memory, and is said to have ${reason}`)
    }
    if (reason === "oom-killed") this.witness.reach("an end for memory")
  }

  /** Which of two things that happened at one moment was first. */
  private order({ cause: { _tag: tag }, incarnation, instance, to }: Transition): void {
    const { witness } = this
    const at = witness.now()
    const machine = witness.machine()
    const child = machine.children.findLast((one) => one.instance === instance && one.incarnation === incarnation)
    const endedNow = child?.endedAtMs === at && child.signals.length === 0
    if (tag === "ProbeFailed" && endedNow) {
      witness.reach("an end at the moment of a failed probe, which was heard first")
    }
    if (tag === "Exited" && endedNow && machine.probedAt(instance) === at) {
      witness.reach("an end at the moment of a failed probe, and was heard first")
    }
    const { last } = this
    if (this.isRace && last !== null && last.at === at && last.instance === instance && last.tag !== tag) {
      witness.reach(`at one moment ${last.tag} before ${tag}`)
    }
    this.last = { at, instance, tag }
    if (to === "failed") witness.reach(`given up because of ${tag}`)
  }

  /** What can be seen at any moment. */
  look(): void {
    const machine = this.witness.machine()
    this.witness.violations.push(...machine.violations.splice(0))
    for (const { instance, signals } of machine.children) {
      if (signals.filter((signal) => signal === "SIGTERM").length > 1) {
        this.witness.fail(`${instance} got its stop signal twice`)
        signals.length = 0
      }
    }
  }

  /** Whether an instance belongs to a group by any of the files. */
  isGrouped(name: InstanceName): boolean {
    const { service } = parts(name)
    return this.witness.variants.some(({ groups }) =>
      [...groups.values()].some(({ services }) => services.includes(service))
    )
  }
}
