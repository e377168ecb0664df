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
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import type { Scheduler, Task } from "effect/Scheduler"

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
  /** Of the world around, and not of a fiber. */
  readonly outside: boolean
}

/** More steps than this without an end are a loop. */
const patience = 200_000

/**
 * @since 0.1.0
 * @category models
 */
export class Simulation {
  /** Milliseconds since the world began; both clocks show it. */
  nowMs = 0
  private readonly tasks: Array<Task> = []
  private readonly sleepers = new Set<Sleeper>()
  private readonly seed: number
  private draws = 0

  /**
   * With seed 0 fibers run in the order in which they ask to. After another one: its fibers are as good as dead, as those
   * of a process that was killed, and what goes on is time, and the world.
   */
  constructor(seed = 0, after: Simulation | null = null) {
    this.seed = seed
    if (after === null) return
    this.nowMs = after.nowMs
    this.draws = after.draws
    for (const sleeper of after.sleepers) {
      if (sleeper.outside) this.at(sleeper.dueMs, sleeper.wake)
    }
  }

  private readonly scheduler: Scheduler = {
    shouldYield: (fiber) => fiber.currentOpCount > 2048 ? 0 : false,
    scheduleTask: (task) => void this.tasks.push(task)
  }

  private readonly clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => this.nowMs,
    unsafeCurrentTimeNanos: () => BigInt(this.nowMs) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => this.nowMs),
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

  private get next(): Sleeper | undefined {
    let next: Sleeper | undefined
    for (const sleeper of this.sleepers) if (next === undefined || sleeper.dueMs < next.dueMs) next = sleeper
    return next
  }

  /** Lets at most so many steps happen, and no time pass. */
  steps(count: number): void {
    // `Effect.never` keeps Node alive by an interval, and that the fiber, also of a supervisor that was killed. No real timer
    // has a place in here.
    const { setInterval } = globalThis
    globalThis.setInterval = (() => undefined) as unknown as typeof setInterval
    try {
      for (let step = 0; step < count && this.tasks.length > 0; step++) {
        this.tasks.splice(this.below(this.tasks.length), 1)[0]?.()
      }
    } finally {
      globalThis.setInterval = setInterval
    }
  }

  /** Lets time pass, and everything happen that it brings. */
  advance(ms: number): void {
    const until = this.nowMs + ms
    for (this.settle();; this.settle()) {
      const { next } = this
      if (next === undefined || next.dueMs > until) break
      this.nowMs = next.dueMs
      // All at once: what happens at one moment happens in any order.
      for (const sleeper of this.sleepers) if (sleeper.dueMs <= this.nowMs) this.tasks.push(sleeper.wake)
    }
    this.nowMs = until
  }

  /** Whether nothing will ever happen by itself any more. */
  get isIdle(): boolean {
    return this.tasks.length === 0 && this.sleepers.size === 0
  }

  /** Starts a fiber; it runs when the simulation does. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(
      effect.pipe(
        Effect.withClock(this.clock),
        Effect.withRandom(Random.make(this.seed)),
        Logger.withMinimumLogLevel(LogLevel.None)
      ),
      { scheduler: this.scheduler }
    )
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
