import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { close } from "../../src/actors/Close.ts"
import { Simulation } from "../../src/testkit/Simulation.ts"

const order = FC.record({ finalizers: FC.integer({ min: 1, max: 4 }), afterMs: FC.nat(50), seed: FC.nat() })

describe("close", () => {
  it.prop("runs every finalizer, and loses no interruption", [order], ([{ afterMs, finalizers, seed }]) => {
    const simulation = new Simulation(seed)
    let released = 0
    const release = Effect.zipRight(Effect.sleep(10), Effect.sync(() => void released++))
    const fiber = simulation.fork(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const acquire = Scope.extend(Effect.acquireRelease(Effect.void, () => release), scope)
      yield* Effect.replicateEffect(acquire, finalizers, { discard: true })
      yield* close(scope)
      return yield* Effect.never
    }))
    simulation.advance(afterMs)
    const interrupted = simulation.fork(Fiber.interrupt(fiber))
    simulation.advance(100)
    assert.isNotNull(interrupted.unsafePoll())
    assert.strictEqual(released, finalizers)
  })
})
