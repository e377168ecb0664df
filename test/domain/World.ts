/**
 * A world around `decide`: it does what the commands say, as slowly and as badly as a list of choices wants, and checks
 * after each step what must never happen. The choices are the whole of its randomness, so that a failing run shrinks.
 */
import { decide } from "../../src/domain/decide.ts"
import { isSuccess } from "../../src/domain/Exit.ts"
import type { Command, InstanceEvent, Policy, Timer } from "../../src/domain/InstanceEvent.ts"
import { initial, type InstanceState, isAsleep, isSettled, running } from "../../src/domain/InstanceState.ts"
import type { Instant } from "../../src/domain/Instant.ts"
import type { GroupName } from "../../src/domain/Names.ts"

type Sent = InstanceEvent extends infer E ? E extends { readonly at: unknown } ? Omit<E, "at"> : never : never

interface Process {
  readonly incarnation: number
  alive: boolean
  stragglers: boolean
  terms: number
  /** Whether the instance has asked to be told of its end; until then the notice is kept. */
  watched: boolean
  notice: Sent | null
}

export class Violation extends Error {}

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Violation(what)
}

export interface Step {
  readonly event: InstanceEvent
  readonly before: InstanceState
  readonly after: InstanceState
  readonly commands: ReadonlyArray<Command>
}

export class World {
  state: InstanceState = initial
  now = 0
  readonly steps: Array<Step> = []
  /** Monotonic times of automatic restarts, as the world saw them. */
  readonly restarts: Array<number> = []
  readonly processes: Array<Process> = []
  private readonly inFlight: Array<Sent> = []
  private readonly timers = new Map<Timer, { readonly due: number; readonly event: Sent }>()
  private launching: number | null = null
  private waiting: number | null = null
  /** The run whose end of all processes the instance asked to be told of. */
  private awaited: number | null = null
  /** Whether the instance has asked to be told that nobody uses it. */
  private isWatched = false
  private cursor = 0
  private readonly policy: Policy
  private readonly choices: ReadonlyArray<number>
  private readonly delays: (attempt: number) => number | null

  constructor(policy: Policy, choices: ReadonlyArray<number>, delays: (attempt: number) => number | null) {
    this.policy = policy
    this.choices = choices
    this.delays = delays
  }

  private choose(below: number): number {
    const choice = this.choices[this.cursor++ % Math.max(1, this.choices.length)] ?? 0
    return choice % below
  }

  private at(): Instant {
    return { mono: this.now, wall: 1_700_000_000_000 + this.now }
  }

  private get live(): Process | undefined {
    return this.processes.find((process) => process.alive || process.stragglers)
  }

  /** Gives one event to the instance and does what it answers. */
  send(sent: Sent): void {
    const event = { ...sent, at: this.at() } as InstanceEvent
    const before = this.state
    const decision = decide(this.policy, before, event)
    const again = decide(this.policy, before, event)
    must(JSON.stringify(decision) === JSON.stringify(again), "decide gave two answers to one question")
    this.state = decision.state
    this.steps.push({ event, before, after: decision.state, commands: decision.commands })
    for (const command of decision.commands) this.perform(command)
    this.check()
  }

  private perform(command: Command): void {
    switch (command._tag) {
      case "Launch":
        must(this.live === undefined, `launch of ${command.incarnation} while ${this.live?.incarnation} lives`)
        must(this.launching === null, "two launches at once")
        must(this.state.wanted === "running", "launch of what is not wanted")
        this.launching = command.incarnation
        break
      case "AbortLaunch":
        if (this.launching === null) break
        // Either it is called off in time, or there is a process already.
        if (this.choose(2) === 0) {
          this.inFlight.push({ _tag: "LaunchAborted", incarnation: command.incarnation })
          this.launching = null
        } else this.launched()
        break
      case "WatchExit":
        for (const process of this.processes) {
          if (process.incarnation !== command.incarnation || process.watched) continue
          process.watched = true
          if (process.notice !== null) this.inFlight.push(process.notice)
        }
        break
      case "AwaitDependencies":
        this.waiting = command.incarnation
        break
      case "StopAwaiting":
        this.waiting = null
        break
      case "Signal": {
        const process = this.live
        if (process === undefined || command.signal === "SIGCONT") break
        process.terms++
        must(process.terms === 1, "a second stop signal for one run")
        // A shell ends, and what it had started does not.
        if (this.choose(3) === 0) this.exit(process, { code: null, signal: "SIGTERM" }, this.choose(2) === 0)
        break
      }
      case "KillTree": {
        const process = this.live
        if (process?.alive === true) this.exit(process, { code: null, signal: "SIGKILL" }, false)
        if (process !== undefined) process.stragglers = false
        this.inFlight.push({ _tag: "TreeGone", incarnation: command.incarnation })
        break
      }
      case "SignalTree": {
        const process = this.live
        must(process?.alive !== true, "its tree was signalled while the main process lives")
        if (process !== undefined && this.choose(2) === 0) process.stragglers = false
        break
      }
      case "AwaitTree":
        this.awaited = command.incarnation
        this.tellOfTree()
        break
      case "ReleaseRun":
        must(this.live === undefined, "a run was released while it lives")
        break
      case "ArmTimer":
        must(
          Number.isFinite(command.delayMs) && command.delayMs >= 0,
          `timer ${command.timer} of ${command.delayMs} ms`
        )
        this.timers.set(command.timer, {
          due: this.now + command.delayMs,
          event: { _tag: "Elapsed", incarnation: command.incarnation, timer: command.timer }
        })
        break
      case "AwaitAnswers":
        must((this.live?.terms ?? 0) === 0, "its answers are awaited after the stop signal")
        this.inFlight.push({ _tag: "Drained", incarnation: command.incarnation, left: this.choose(2) })
        break
      case "WatchIdle":
        must(this.state.phase._tag === "Up", "it is watched for idleness before it is ready")
        this.isWatched = true
        break
      case "StopWatchingIdle":
        this.isWatched = false
        break
      case "CancelTimer":
        this.timers.delete(command.timer)
        break
      case "StepBackoff":
        this.inFlight.push({
          _tag: "NextDelay",
          incarnation: command.incarnation,
          delayMs: this.delays(this.state.attempt)
        })
        break
      case "CountRestart":
        this.restarts.push(this.now)
        break
      default:
        break
    }
  }

  private tellOfTree(): void {
    if (this.awaited === null || this.live !== undefined) return
    this.inFlight.push({ _tag: "TreeGone", incarnation: this.awaited })
    this.awaited = null
  }

  private launched(): void {
    const incarnation = this.launching
    if (incarnation === null) return
    this.launching = null
    this.processes.push({ incarnation, alive: true, stragglers: false, terms: 0, watched: false, notice: null })
    this.inFlight.push({ _tag: "Launched", incarnation, pid: 1000 + incarnation })
  }

  private exit(process: Process, status: { code: number | null; signal: string | null }, stragglers: boolean): void {
    process.alive = false
    process.stragglers = stragglers
    const notice: Sent = { _tag: "Exited", incarnation: process.incarnation, status, oomKilled: false, stragglers }
    if (process.watched) this.inFlight.push(notice)
    else process.notice = notice
  }

  /** Something happens: a person asks, a process dies, a probe answers, a timer fires, an event arrives. */
  step(): void {
    const incarnation = this.state.incarnation
    switch (this.choose(12)) {
      case 0:
        return this.choose(2) === 0
          ? this.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
          : this.send({ _tag: "Start", cause: { _tag: "Request" } })
      case 1:
        return this.send({ _tag: "Stop", cause: { _tag: "Person", verb: "stop" }, open: this.choose(3) })
      case 2:
        return this.choose(4) === 0
          ? this.send({ _tag: "Restart", cause: { _tag: "Person", verb: "restart" }, open: this.choose(3) })
          : this.advance()
      case 3: {
        const process = this.live
        if (process?.alive === true) {
          const code = this.choose(3)
          this.exit(
            process,
            code === 2 ? { code: null, signal: "SIGSEGV" } : { code, signal: null },
            this.choose(4) === 0
          )
        } else if (process !== undefined) {
          process.stragglers = false
          this.tellOfTree()
        }
        return
      }
      case 4:
        if (this.launching !== null) {
          if (this.choose(4) === 0) {
            this.inFlight.push({
              _tag: "LaunchFailed",
              incarnation: this.launching,
              code: "ENOENT",
              message: "no such file"
            })
            this.launching = null
          } else this.launched()
        }
        return
      case 5:
        if (this.waiting !== null) {
          this.inFlight.push({ _tag: "DependenciesReady", incarnation: this.waiting })
          this.waiting = null
        }
        return
      case 6:
        return this.state.phase._tag === "Starting" && this.choose(6) === 0
          ? this.send({ _tag: "LaunchFailed", incarnation, code: "EPERM", message: "the socket is somebody else's" })
          : this.send({ _tag: "Ready", incarnation: incarnation - this.choose(2), by: "connect" })
      case 7:
        return this.send({
          _tag: "Probed",
          incarnation: incarnation - (this.choose(8) === 0 ? 1 : 0),
          healthy: this.choose(3) === 0,
          detail: "GET /: ?"
        })
      case 8:
        return this.isWatched && this.choose(3) === 0
          ? this.send({ _tag: "Idle", incarnation, afterMs: this.policy.idleTimeoutMs })
          : this.deliver()
      case 9:
        return this.deliver()
      default:
        return this.advance()
    }
  }

  /** Any event that is under way arrives; order is not promised. */
  private deliver(): void {
    if (this.inFlight.length === 0) return
    const [event] = this.inFlight.splice(this.choose(this.inFlight.length), 1)
    if (event !== undefined) this.send(event)
  }

  private advance(): void {
    if (this.timers.size > 0 && this.choose(3) > 0) return this.toNextTimer()
    this.now += this.choose(50)
    this.fire()
  }

  private toNextTimer(): void {
    this.now = Math.max(this.now, Math.min(...[...this.timers.values()].map(({ due }) => due), Infinity))
    if (this.now === Infinity) throw new Violation("nothing is under way and nothing will be")
    this.fire()
  }

  /** The launch that is under way fails. */
  failLaunch(): void {
    if (this.launching === null) return
    const incarnation = this.launching
    this.launching = null
    this.send({ _tag: "LaunchFailed", incarnation, code: "ENOENT", message: "no such file" })
  }

  private fire(): void {
    for (const [timer, { due, event }] of Array.from(this.timers)) {
      if (due <= this.now && this.timers.get(timer)?.due === due) {
        this.timers.delete(timer)
        this.send(event)
      }
    }
  }

  /** Everything that is under way comes to its end, nothing new fails: the instance must settle where it was told to. */
  heal(): void {
    for (let i = 0; i < 50; i++) {
      if (this.launching !== null) this.launched()
      if (this.waiting !== null) {
        this.inFlight.push({ _tag: "DependenciesReady", incarnation: this.waiting })
        this.waiting = null
      }
      while (this.inFlight.length > 0) this.send(this.inFlight.shift() as Sent)
      if (this.state.phase._tag === "Starting") {
        this.send({ _tag: "Ready", incarnation: this.state.incarnation, by: "connect" })
      }
      if (this.state.phase._tag === "Up" && this.state.phase.failures > 0) {
        this.send({ _tag: "Probed", incarnation: this.state.incarnation, healthy: true, detail: "GET /: 200" })
      }
      if (isSettled(this.state) || this.state.phase._tag === "Up") break
      if (this.launching === null && this.waiting === null && this.inFlight.length === 0) this.toNextTimer()
    }
    while (this.inFlight.length > 0) this.send(this.inFlight.shift() as Sent)
  }

  private check(): void {
    const { history, phase, wanted } = this.state
    must(this.processes.filter((process) => process.alive || process.stragglers).length <= 1, "two incarnations")
    const run = running(this.state)
    if (run !== null) must(run.pid === 1000 + this.state.incarnation, "the state names another run's process")
    if (isSettled(this.state) || phase._tag === "Backoff") {
      must(this.live === undefined, `${phase._tag} while ${this.live?.incarnation} lives`)
      must(this.launching === null, `${phase._tag} while a launch is under way`)
    }
    if (wanted === "stopped") {
      must(phase._tag === "Stopped" || phase._tag === "Ending", `not wanted and ${phase._tag}`)
    }
    must(!this.isWatched || phase._tag === "Up", `watched for idleness, and ${phase._tag}`)
    must(!isAsleep(this.state) || this.policy.idleTimeoutMs > 0, "asleep, which it is never to be")
    if (isSettled(this.state)) {
      must(this.timers.size === 0, `${phase._tag} with a timer: ${[...this.timers.keys()].join()}`)
    }
    must(history.length <= this.policy.intensity.max, "the history outgrew the intensity")
    const { max, windowMs } = this.policy.intensity
    for (const [i, restart] of this.restarts.entries()) {
      const later = this.restarts[i + max]
      if (later !== undefined && this.policy.group === null && !this.forgave(restart, later)) {
        must(later - restart > windowMs, `${max + 1} restarts within ${windowMs} ms`)
      }
    }
  }

  /** A person lifted a failure in between, which begins the count anew. */
  private forgave(from: number, to: number): boolean {
    return this.steps.some(({ before, event }) =>
      before.phase._tag === "Failed" && (event._tag === "Start" || event._tag === "Restart") &&
      event.at.mono >= from && event.at.mono <= to
    )
  }
}

export const policyOf = (options: {
  readonly restart: "always" | "on-failure" | "never"
  readonly max: number
  readonly windowMs: number
  readonly retries: number | null
  readonly awaitsReadiness: boolean
  readonly stopTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly dependsOn: boolean
  readonly group: boolean
}): Policy => ({
  shouldRestart: (end) =>
    options.restart === "always" ||
    (options.restart === "on-failure" && !isSuccess(end)),
  revivedByGroup: options.restart !== "never",
  intensity: { max: options.max, windowMs: options.windowMs },
  stableAfterMs: 1000,
  startupTimeoutMs: 500,
  awaitsReadiness: options.awaitsReadiness,
  stopSignal: "SIGTERM",
  stopTimeoutMs: options.stopTimeoutMs,
  health: options.retries === null ? null : { retries: options.retries },
  idleTimeoutMs: options.idleTimeoutMs,
  dependsOn: options.dependsOn ? ["db" as never] : [],
  group: options.group ? ("shop" as GroupName) : null,
  rolling: false,
  drainTimeoutMs: 500
})
