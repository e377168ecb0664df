/** Plans, lived from their beginning to their end. */
import { Life } from "./Life.ts"
import type * as Plan from "./Plan.ts"
import * as Rest from "./Rest.ts"

export interface Outcome {
  /** What was wrong; empty if nothing was. */
  readonly violations: ReadonlyArray<string>
  readonly reached: ReadonlySet<string>
  /** Two runs of one plan have the same. */
  readonly hash: number
}

/** Lives it, and tells all that happens. What is thrown, as by a tree that never comes to rest, is wrong too. */
export const live = (plan: Plan.Plan, tell?: (line: string) => void): Outcome => {
  const thrown: Array<string> = []
  const attempt = <A>(work: () => A): A | undefined => {
    try {
      return work()
    } catch (error) {
      thrown.push(String(error))
      return undefined
    }
  }
  const life = attempt(() => new Life(plan, tell))
  if (life === undefined) return { violations: thrown, reached: new Set(), hash: 0 }
  const { reached, violations } = life.witness
  attempt(() => {
    for (const step of plan.steps) {
      life.step(step)
      if (violations.length > 0) return
    }
    Rest.come(life)
  })
  attempt(() => life.end())
  return { violations: [...violations, ...thrown], reached, hash: life.hash }
}

/** The shortest plan found that still goes wrong. */
export const shrink = (plan: Plan.Plan): Plan.Plan => {
  let smallest = plan
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < smallest.steps.length;) {
      const steps = smallest.steps.filter((_, index) => index < from || index >= from + size)
      const shorter = { ...smallest, steps }
      if (live(shorter).violations.length > 0) smallest = shorter
      else from += size
    }
  }
  return smallest
}
