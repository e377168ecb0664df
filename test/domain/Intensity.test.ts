import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Intensity from "../../src/domain/Intensity.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

/** Failures, each so long after the one before; small steps and windows, so that ends of windows are met. */
const gaps = FC.array(FC.oneof(FC.constantFrom(0, 1, 5, 10), FC.nat(12)), { maxLength: 40 })
const small = FC.record({ max: FC.oneof(FC.nat(4), FC.constant(Infinity)), windowMs: FC.constantFrom(1, 5, 10, 11) })

/** The restarts that were made, and the failure that was one too many, if one was. */
const live = (intensity: Intensity.Intensity, gaps: ReadonlyArray<number>) => {
  let at = 1000
  let history = Intensity.empty
  const made: Array<number> = []
  for (const gap of gaps) {
    at += gap
    if (!Intensity.allows(intensity, history, at)) return { made, gaveUpAt: at }
    history = Intensity.record(intensity, history, at)
    made.push(at)
  }
  return { made, gaveUpAt: null }
}

/** How many of these fall into the fullest window, both ends of it included; by looking at every window there is. */
const fullest = (times: ReadonlyArray<number>, windowMs: number): number =>
  Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at <= from + windowMs).length))

describe("the intensity", () => {
  it.prop("is never exceeded", [small, gaps], ([intensity, gaps]) => {
    assert.isAtMost(fullest(live(intensity, gaps).made, intensity.windowMs), intensity.max)
  }, { fastCheck: { numRuns: 2000 } })

  it.prop("is never early given up", [small, gaps], ([intensity, gaps]) => {
    const { gaveUpAt, made } = live(intensity, gaps)
    if (gaveUpAt === null) return
    assert.isAbove(fullest([...made, gaveUpAt], intensity.windowMs), intensity.max)
  }, { fastCheck: { numRuns: 2000 } })

  it.prop("of 0 bears no restart, and without a limit any number", [gaps, FC.nat(10)], ([gaps, windowMs]) => {
    assert.isEmpty(live({ max: 0, windowMs }, gaps).made)
    assert.isNull(live({ max: Infinity, windowMs }, gaps).gaveUpAt)
  })

  it("counts both ends of its window", () => {
    const intensity = { max: 1, windowMs: 10 }
    const history = Intensity.record(intensity, Intensity.empty, 100)
    assert.isFalse(Intensity.allows(intensity, history, 110))
    assert.isTrue(Intensity.allows(intensity, history, 110.000001))
  })

  it.prop("remembers no more than it needs", [Arbitraries.intensity, gaps], ([intensity, gaps]) => {
    let at = 0
    let history = Intensity.empty
    for (const gap of gaps) {
      at += gap
      if (Intensity.allows(intensity, history, at)) history = Intensity.record(intensity, history, at)
      assert.isAtMost(history.length, intensity.max === Infinity ? 0 : intensity.max)
      assert.isTrue(history.every((restart) => restart >= at - intensity.windowMs))
    }
  })
})
