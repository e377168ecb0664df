/**
 * The lines of `tenement events`.
 *
 * @since 0.1.0
 */
import type { EventRecord } from "../../domain/Views.ts"
import * as Duration from "./Duration.ts"
import * as Palette from "./Palette.ts"
import { because } from "./Why.ts"

const ofLevel = { info: "faint", warning: "warn", error: "bad" } as const

/**
 * One line. A pipe gets the whole date, as it was recorded.
 *
 * @since 0.1.0
 * @category combinators
 */
export const line = (
  event: EventRecord,
  options: { readonly now: number; readonly terminal: boolean; readonly palette: Palette.Palette }
): string => {
  const { now, palette, terminal } = options
  const at = palette.faint(terminal ? Duration.clock(event.at, now) : event.at)
  if (event._tag === "Notice") {
    const message = Palette.harmless(event.message)
    return `${at}  ${palette.name(event.subject)}  ${palette[ofLevel[event.level]](event.level)}: ${message}`
  }
  const { cause, from, instance, to } = event
  return `${at}  ${palette.name(instance)}  ${from} → ${Palette.ofState(palette, to)(to)}: ${because(cause)}`
}
