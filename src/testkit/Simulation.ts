/**
 * Runs effects in a world of its own: time stands still until it is moved, fibers run when the test lets them, in an
 * order that a seed decides, and all of it in one synchronous call. So thousands of histories take seconds, and one that
 * fails does so each time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type { Scheduler, Task } from "effect/Scheduler"

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
  /** Of the world around, and not of a fiber. */
  readonly outside: boolean
}

/** Where Effect keeps the fibers that have no parent. */
const { roots } = globalValue(
  Symbol.for("effect/FiberScope/Global"),
  (): { readonly roots: Set<Fiber.RuntimeFiber<unknown, unknown>> } => ({ roots: new Set() })
)

/** More steps than this without an end are a loop. */
const patience = 200_000

/**
 * @since 0.1.0
 * @category models
 */
export class Simulation {
  /** Milliseconds since the world began, as the monotonic clock shows it. */
  nowMs = 0
  /** What the wall clock is ahead of it. Setting it is what an administrator does, or a time server. */
  wallOffsetMs = 0
  /** Timers of fibers go off at multiples of this alone: late, and several at once. */
  timerTickMs = 1
  /** How much has happened. */
  stepsTaken = 0
  private readonly tasks: Array<Task> = []
  private readonly sleepers = new Set<Sleeper>()
  private readonly seed: number
  private readonly runtime: Runtime.Runtime<never>
  private draws = 0

  /**
   * With seed 0 fibers run in the order in which they ask to. After another one: its fibers are as good as dead, as those
   * of a process that was killed, and what goes on is time, and the world.
   */
  constructor(seed = 0, after: Simulation | null = null) {
    this.seed = seed
    this.runtime = Effect.runSync(
      Effect.runtime<never>().pipe(
        Effect.withClock(this.clock),
        Effect.withRandom(Random.make(seed)),
        Logger.withMinimumLogLevel(LogLevel.None),
        Effect.withTracerEnabled(false)
      )
    )
    if (after === null) return
    this.nowMs = after.nowMs
    this.wallOffsetMs = after.wallOffsetMs
    this.timerTickMs = after.timerTickMs
    this.stepsTaken = after.stepsTaken
    this.draws = after.draws
    for (const sleeper of after.sleepers) {
      if (sleeper.outside) this.at(sleeper.dueMs, sleeper.wake)
    }
    after.end()
  }

  private readonly scheduler: Scheduler = {
    shouldYield: (fiber) => fiber.currentOpCount > 2048 ? 0 : false,
    scheduleTask: (task) => void this.tasks.push(task)
  }

  private readonly clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => this.nowMs + this.wallOffsetMs,
    unsafeCurrentTimeNanos: () => BigInt(this.nowMs) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => this.nowMs + this.wallOffsetMs),
    currentTimeNanos: Effect.sync(() => BigInt(this.nowMs) * 1_000_000n),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper: Sleeper = {
          outside: false,
          dueMs: this.nowMs + Duration.toMillis(duration),
          wake: () => {
            this.sleepers.delete(sleeper)
            resume(Effect.void)
          }
        }
        this.sleepers.add(sleeper)
        if (sleeper.dueMs <= this.nowMs) this.tasks.push(sleeper.wake)
        return Effect.sync(() => this.sleepers.delete(sleeper))
      })
  }

  private below(limit: number): number {
    if (this.seed === 0) return 0
    // splitmix32
    let z = (this.seed + Math.imul(++this.draws, 0x9e3779b9)) | 0
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) % limit
  }

  private at(dueMs: number, happen: () => void): void {
    const sleeper: Sleeper = {
      outside: true,
      dueMs,
      wake: () => {
        this.sleepers.delete(sleeper)
        happen()
      }
    }
    this.sleepers.add(sleeper)
  }

  /** Something that happens in the world around, whatever becomes of the fibers. */
  after(ms: number, happen: () => void): void {
    this.at(this.nowMs + ms, happen)
  }

  /** Lets everything happen that needs no time. */
  settle(): void {
    for (let steps = 0; this.tasks.length > 0; steps += 1000) {
      if (steps > patience) throw new Error(`still busy after ${patience} steps at ${this.nowMs} ms`)
      this.steps(1000)
    }
  }

  /** When it wakes, if not later. */
  private due({ dueMs, outside }: Sleeper): number {
    return outside ? dueMs : Math.ceil(dueMs / this.timerTickMs) * this.timerTickMs
  }

  /** Goes to the moment at which something happens next, and lets it begin, but not go on; false if that is after `untilMs`. */
  private toNext(untilMs: number): boolean {
    let next = Infinity
    for (const sleeper of this.sleepers) next = Math.min(next, this.due(sleeper))
    if (next > untilMs) return false
    this.nowMs = Math.max(this.nowMs, next)
    // All at once: what happens at one moment happens in any order.
    for (const sleeper of this.sleepers) if (this.due(sleeper) <= this.nowMs) this.tasks.push(sleeper.wake)
    return true
  }

  /** Lets at most so many steps happen, and no time pass. */
  steps(count: number): void {
    // `Effect.never` keeps Node alive by an interval, and that the fiber, also of a supervisor that was killed. No real timer
    // has a place in here.
    const { setInterval } = globalThis
    globalThis.setInterval = (() => undefined) as unknown as typeof setInterval
    try {
      for (let step = 0; step < count && this.tasks.length > 0; step++) {
        this.stepsTaken++
        this.tasks.splice(this.below(this.tasks.length), 1)[0]?.()
      }
    } finally {
      globalThis.setInterval = setInterval
    }
  }

  /** Lets time pass, and everything happen that it brings; less of it, once `isOver` says so. */
  advance(ms: number, isOver: () => boolean = () => false): void {
    const until = this.nowMs + ms
    do {
      this.settle()
      if (isOver()) return
    } while (this.toNext(until))
    this.nowMs = until
  }

  /**
   * Lets time pass until the next thing is due that needs some, at most so long; that is about to happen then, and so is
   * whatever is begun before anything else is let happen. In which order is the seed's choice.
   */
  edge(ms: number): void {
    this.settle()
    const until = this.nowMs + ms
    if (!this.toNext(until)) this.nowMs = until
  }

  /** The process stands still for a while, and the world does not: all that was due meanwhile happens afterwards, at once. */
  pause(ms: number): void {
    const until = this.nowMs + ms
    for (const sleeper of [...this.sleepers].sort((a, b) => a.dueMs - b.dueMs)) {
      if (!sleeper.outside || sleeper.dueMs > until) continue
      this.nowMs = Math.max(this.nowMs, sleeper.dueMs)
      sleeper.wake()
    }
    this.nowMs = until
  }

  /** Whether nothing will ever happen by itself any more. */
  get isIdle(): boolean {
    return this.tasks.length === 0 && this.sleepers.size === 0
  }

  /** Starts a fiber; it runs when the simulation does. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime, effect, { scheduler: this.scheduler })
  }

  /** Nothing of it happens any more: what its fibers hold in memory can go. */
  end(): void {
    this.tasks.length = 0
    this.sleepers.clear()
    // Effect keeps every fiber that has no parent until it has ended, and these never will.
    for (const fiber of Fiber.unsafeRoots()) {
      if (fiber.getFiberRef(FiberRef.currentScheduler) === this.scheduler) roots.delete(fiber)
    }
  }

  /** Runs what needs no time. */
  run<A, E>(effect: Effect.Effect<A, E>): A {
    const fiber = this.fork(effect)
    this.settle()
    return ended(fiber)
  }
}

/**
 * What a fiber that has ended ended with.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ended = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): A => {
  const exit = fiber.unsafePoll()
  if (exit === null) throw new Error("it has not come to its end")
  return Exit.getOrElse(exit, (cause) => {
    throw new Error(String(cause))
  })
}
