import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as StartSlots from "../../src/actors/StartSlots.ts"
import { Simulation } from "../../src/testkit/Simulation.ts"

const slotsOf = (simulation: Simulation, slots: number) =>
  Context.get(simulation.run(Effect.scoped(Layer.build(StartSlots.layer(slots)))), StartSlots.StartSlots)

/** A start: when it is asked for, how long it keeps its slot if it may, when it is called off. */
const start = FC.record({ atMs: FC.nat(3000), keepsMs: FC.nat(3000), calledOffMs: FC.option(FC.nat(6000)) })

describe("start slots", () => {
  it.prop(
    "are never more than there are, and each is free again after a second at most",
    [FC.integer({ min: 1, max: 4 }), FC.array(start, { maxLength: 20 }), FC.nat()],
    ([slots, starts, seed]) => {
      const simulation = new Simulation(seed)
      const { take } = slotsOf(simulation, slots)
      const held = new Set<number>()
      let most = 0
      const fibers = starts.map(({ atMs, keepsMs }, index) =>
        simulation.fork(
          Effect.scoped(Effect.gen(function*() {
            yield* Effect.asVoid(take)
            held.add(index)
            most = Math.max(most, held.size)
            // What is kept for a second is somebody else's from then on.
            yield* Effect.zipRight(Effect.sleep(Math.min(keepsMs, 999)), Effect.sync(() => held.delete(index)))
            yield* Effect.sleep(Math.max(0, keepsMs - 999))
          })).pipe(Effect.ensuring(Effect.sync(() => held.delete(index))), Effect.delay(atMs))
        )
      )
      for (const [index, { calledOffMs }] of starts.entries()) {
        if (calledOffMs !== null) simulation.fork(Effect.delay(Fiber.interrupt(fibers[index]!), calledOffMs))
      }
      simulation.advance(60_000)
      assert.isAtMost(most, slots)
      for (const fiber of fibers) assert.isNotNull(fiber.unsafePoll(), "somebody never got a slot")
      assert.isTrue(simulation.isIdle)
      // All of them are there again, at once.
      const all = simulation.fork(Effect.scoped(Effect.replicateEffect(take, slots)))
      simulation.settle()
      assert.isNotNull(all.unsafePoll())
    },
    { fastCheck: { numRuns: 150 } }
  )

  it.prop(
    "are given in the order in which they were asked for",
    [FC.nat(), FC.integer({ min: 1, max: 3 })],
    (given) => {
      const [seed, slots] = given
      const simulation = new Simulation(seed)
      const { take } = slotsOf(simulation, slots)
      const order: Array<number> = []
      for (let index = 0; index < 10; index++) {
        simulation.fork(Effect.scoped(Effect.zipRight(take, Effect.delay(Effect.sync(() => order.push(index)), 10))))
        simulation.settle()
      }
      simulation.advance(1000)
      for (const [place, index] of order.entries()) assert.isBelow(Math.abs(place - index), slots)
    }
  )
})
