/**
 * What a reload does, or would do.
 *
 * @since 0.1.0
 */
import type { ReloadPlan } from "../../domain/Views.ts"
import * as Palette from "./Palette.ts"

const sign = {
  start: ["+", "good"],
  stop: ["-", "bad"],
  restart: ["~", "warn"],
  update: ["=", "faint"]
} as const

/**
 * @since 0.1.0
 * @category combinators
 */
export const lines = (plan: ReloadPlan, palette: Palette.Palette): ReadonlyArray<string> => {
  if (plan.changes.length === 0) return [`${plan.file}: nothing differs from what is running`]
  return plan.changes.flatMap(({ action, keys, subject }) => {
    const [mark, paint] = sign[action]
    return [
      palette[paint](`${mark} ${action} ${subject}`),
      ...keys.map(({ from, key, to }) =>
        `    ${key}: ${Palette.harmless(from)} ${palette.faint("→")} ${Palette.harmless(to)}`
      )
    ]
  })
}
