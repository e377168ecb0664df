import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Supervisor from "../../src/actors/Supervisor.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"
import { Simulation } from "../../src/testkit/Simulation.ts"

type End = "fails" | "dies" | "completes"

/** A child whose life the test decides. */
interface Child {
  readonly id: string
  /** Of the next starts, so many fail. */
  badStarts: number
  end: (how: End) => void
}

/** A supervisor with `size` children, and all that they do, in order. */
const family = (simulation: Simulation, options: {
  readonly size: number
  readonly strategy: Strategy
  readonly max: number
  readonly windowMs: number
  readonly startMs?: number
  readonly stopMs?: number
}) => {
  const { max, size, startMs = 0, stopMs = 0, strategy, windowMs } = options
  const trace: Array<string> = []
  const held = new Set<string>()
  const children = Array.from({ length: size }, (_, index): Child => ({
    id: String(index),
    badStarts: 0,
    end: () => undefined
  }))
  const take = (name: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        if (held.has(name)) throw new Error(`${name} is there twice`)
        held.add(name)
        trace.push(`start ${name}`)
      }),
      () =>
        Effect.zipRight(
          Effect.sleep(stopMs),
          Effect.sync(() => {
            if (!held.delete(name)) throw new Error(`${name} is stopped twice`)
            trace.push(`stop ${name}`)
          })
        )
    )
  const spec = (child: Child): Supervisor.ChildSpec => ({
    id: child.id,
    start: Effect.gen(function*() {
      yield* take(child.id)
      yield* Effect.sleep(startMs)
      if (child.badStarts > 0) {
        child.badStarts--
        return yield* Effect.fail("did not start")
      }
      const life = yield* Deferred.make<void, string>()
      child.end = (how) =>
        Deferred.unsafeDone(
          life,
          how === "fails" ? Exit.fail("failed") : how === "dies" ? Exit.die("a defect") : Exit.void
        )
      return Deferred.await(life)
    })
  })
  const scope = simulation.run(Scope.make())
  const supervisor = simulation.run(
    Scope.extend(Supervisor.make({ name: "family", strategy, intensity: { max, windowMs } }), scope)
  )
  const running = simulation.fork(Effect.zipRight(
    Effect.forEach(children, (child) => supervisor.add(spec(child)), { discard: true }),
    supervisor.run
  ))
  return { trace, held, children, supervisor, running, spec, close: Scope.close(scope, Exit.void) }
}

/** What OTP's supervisor would do to the same children, told as a trace. */
class Model {
  readonly trace: Array<string> = []
  readonly up = new Set<number>()
  /** Those that hold something: up, or failed to start, which keeps what the start had taken. */
  private readonly held = new Set<number>()
  readonly badStarts: Array<number>
  private readonly rounds: Array<number> = []
  gaveUp = false
  private readonly size: number
  private readonly strategy: Strategy
  private readonly max: number
  private readonly windowMs: number

  constructor(size: number, strategy: Strategy, max: number, windowMs: number) {
    this.size = size
    this.strategy = strategy
    this.max = max
    this.windowMs = windowMs
    this.badStarts = Array.from({ length: size }, () => 0)
    for (let child = 0; child < size; child++) this.start(child)
  }

  private start(child: number): boolean {
    this.trace.push(`start ${child}`)
    this.held.add(child)
    if (this.badStarts[child]! > 0) {
      this.badStarts[child]!--
      return false
    }
    this.up.add(child)
    return true
  }

  private stop(child: number): void {
    if (this.held.delete(child)) this.trace.push(`stop ${child}`)
    this.up.delete(child)
  }

  private stopAll(): void {
    for (let child = this.size - 1; child >= 0; child--) this.stop(child)
  }

  private reached(failed: number): ReadonlyArray<number> {
    const all = Array.from({ length: this.size }, (_, child) => child)
    return this.strategy === "one-for-one"
      ? [failed]
      : all.filter((child) => this.strategy === "one-for-all" || child >= failed)
  }

  private fail(child: number, at: number): void {
    if (this.rounds.filter((round) => at - round <= this.windowMs).length >= this.max) {
      this.stopAll()
      this.gaveUp = true
      return
    }
    this.rounds.push(at)
    const members = this.reached(child)
    for (const member of [...members].reverse()) this.stop(member)
    for (const member of members) if (!this.start(member)) return this.fail(member, at)
  }

  /** These children end at the same moment. */
  end(children: ReadonlyMap<number, End>, at: number): void {
    const ending = new Map([...children].filter(([child]) => this.up.has(child)).sort(([a], [b]) => a - b))
    for (const child of ending.keys()) this.up.delete(child)
    for (const [child, how] of ending) {
      // A round that reached it has seen to it.
      if (this.gaveUp || this.up.has(child) || !this.held.has(child)) continue
      if (how === "completes") this.stop(child)
      else this.fail(child, at)
    }
  }

  close(): void {
    this.stopAll()
  }
}

const end: FC.Arbitrary<End> = FC.constantFrom("fails", "fails", "dies", "completes")

/** What happens, and how long after what was before: children end, some together, and some will not start again. */
const happenings = (size: number) =>
  FC.array(
    FC.record({
      afterMs: FC.constantFrom(0, 1, 10, 50, 99, 100, 101, 1000),
      ends: FC.array(FC.tuple(FC.nat(size - 1), end), { minLength: 1, maxLength: 3 }).map((all) => new Map(all)),
      badStarts: FC.array(FC.tuple(FC.nat(size - 1), FC.integer({ min: 0, max: 2 })), { maxLength: 1 })
    }),
    { maxLength: 25 }
  )

const scenario = FC.record({
  size: FC.integer({ min: 1, max: 6 }),
  strategy: Arbitraries.strategy,
  max: FC.constantFrom(0, 1, 3, 5, Infinity),
  windowMs: FC.constantFrom(0, 10, 100, 5000)
}).chain((options) => FC.record({ options: FC.constant(options), happenings: happenings(options.size) }))

describe("a supervisor", () => {
  it.prop(
    "does what OTP's does, in the same order, and gives up when it does",
    [scenario],
    ([{ happenings, options }]) => {
      const simulation = new Simulation()
      const real = family(simulation, options)
      const model = new Model(options.size, options.strategy, options.max, options.windowMs)
      simulation.settle()
      for (const { afterMs, badStarts, ends } of happenings) {
        if (model.gaveUp) break
        simulation.advance(afterMs)
        for (const [child, times] of badStarts) {
          model.badStarts[child] = times
          real.children[child]!.badStarts = times
        }
        for (const [child, how] of ends) if (model.up.has(child)) real.children[child]!.end(how)
        model.end(ends, simulation.nowMs)
        simulation.settle()
        assert.deepStrictEqual(real.trace, model.trace)
        assert.strictEqual(real.running.unsafePoll() !== null, model.gaveUp)
        assert.sameMembers(
          [...simulation.run(real.supervisor.children)].filter(({ up }) => up).map(({ id }) => Number(id)),
          [...model.up]
        )
      }
      simulation.run(Effect.zipRight(Fiber.interrupt(real.running), real.close))
      model.close()
      assert.deepStrictEqual(real.trace, model.trace)
      assert.isTrue(simulation.isIdle)
    },
    { fastCheck: { numRuns: 250 } }
  )

  it.prop(
    "holds nothing any more when it was interrupted at any time, and its scope is closed",
    [scenario, FC.nat(1_000_000), FC.nat(300), FC.nat(40)],
    ([{ happenings, options }, seed, untilMs, steps]) => {
      const simulation = new Simulation(seed)
      const real = family(simulation, { ...options, startMs: 7, stopMs: 5 })
      for (const { afterMs, badStarts, ends } of happenings) {
        if (simulation.nowMs >= untilMs) break
        simulation.advance(Math.min(afterMs, untilMs - simulation.nowMs))
        for (const [child, times] of badStarts) real.children[child]!.badStarts = times
        for (const [child, how] of ends) real.children[child]!.end(how)
      }
      simulation.steps(steps)
      const closed = simulation.fork(Effect.zipRight(Fiber.interrupt(real.running), real.close))
      simulation.advance(60_000)
      assert.isNotNull(closed.unsafePoll(), "it does not come to its end")
      assert.isEmpty([...real.held])
      assert.isTrue(simulation.isIdle)
    },
    { fastCheck: { numRuns: 250 } }
  )

  it.prop("stops what there is in reverse start order", [scenario, FC.nat(1_000_000)], ([{ options }, seed]) => {
    const simulation = new Simulation(seed)
    const real = family(simulation, { ...options, startMs: 3, stopMs: 5 })
    simulation.advance(1000)
    const closed = simulation.fork(real.close)
    simulation.advance(1000)
    assert.isNotNull(closed.unsafePoll())
    const stops = Array.from({ length: options.size }, (_, index) => `stop ${options.size - 1 - index}`)
    assert.deepStrictEqual(real.trace.slice(options.size), stops)
  })

  it.prop("starts nobody before all are gone who have to go", [scenario, FC.nat(1_000_000)], ([given, seed]) => {
    const simulation = new Simulation(seed)
    const real = family(simulation, { ...given.options, max: Infinity, startMs: 3, stopMs: 5 })
    simulation.advance(1000)
    for (const { afterMs, ends } of given.happenings) {
      simulation.advance(afterMs)
      const from = real.trace.length
      const [child] = ends.keys()
      real.children[child!]!.end("fails")
      simulation.advance(1000)
      const round = real.trace.slice(from)
      const firstStart = round.findIndex((what) => what.startsWith("start"))
      assert.isTrue(round.slice(Math.max(0, firstStart)).every((what) => what.startsWith("start")), round.join())
    }
    simulation.fork(Effect.zipRight(Fiber.interrupt(real.running), real.close))
    simulation.advance(1000)
  })
})

describe("children that come and go", () => {
  const quiet = { size: 2, strategy: "one-for-all", max: 3, windowMs: 1000 } as const

  it("are stopped when they are removed, and reached by no round", () => {
    const simulation = new Simulation()
    const real = family(simulation, quiet)
    simulation.settle()
    simulation.run(real.supervisor.remove("0"))
    real.children[1]!.end("fails")
    simulation.settle()
    assert.deepStrictEqual(real.trace.slice(2), ["stop 0", "stop 1", "start 1"])
  })

  it("that are removed while they are being started again are not left behind", () => {
    const simulation = new Simulation()
    const real = family(simulation, { ...quiet, startMs: 10 })
    simulation.advance(100)
    real.children[0]!.end("fails")
    simulation.advance(5)
    const removed = simulation.fork(real.supervisor.remove("0"))
    simulation.advance(100)
    assert.isNotNull(removed.unsafePoll())
    assert.deepStrictEqual([...real.held], ["1"])
  })

  it("are failures when they do not start, also the first time", () => {
    const simulation = new Simulation()
    const real = family(simulation, { ...quiet, size: 0 })
    const child: Child = { id: "late", badStarts: 2, end: () => undefined }
    simulation.run(real.supervisor.add(real.spec(child)))
    assert.deepStrictEqual(real.trace, ["start late", "stop late", "start late", "stop late", "start late"])
    assert.deepStrictEqual(simulation.run(real.supervisor.children), [{ id: "late", up: true, restarts: 2 }])
  })

  it("of an id that is there already are a bug, and the one that is there goes on", () => {
    const simulation = new Simulation()
    const real = family(simulation, { ...quiet, size: 1 })
    simulation.settle()
    const again = simulation.fork(real.supervisor.add(real.spec(real.children[0]!)))
    simulation.settle()
    assert.isTrue(Exit.match(again.unsafePoll()!, { onFailure: Cause.isDie, onSuccess: () => false }))
    assert.deepStrictEqual(real.trace, ["start 0"])
    simulation.run(Effect.zipRight(Fiber.interrupt(real.running), real.close))
    assert.isEmpty([...real.held])
  })

  it("whose start interrupts itself are failures too, and not the supervisor's end", () => {
    const simulation = new Simulation()
    const real = family(simulation, { ...quiet, size: 1 })
    simulation.settle()
    let tries = 0
    simulation.run(real.supervisor.add({
      id: "moody",
      start: Effect.suspend(() => ++tries < 3 ? Effect.interrupt : Effect.succeed(Effect.never))
    }))
    simulation.settle()
    assert.strictEqual(tries, 3)
    assert.isTrue(Option.isNone(Option.fromNullable(real.running.unsafePoll())))
  })
})
