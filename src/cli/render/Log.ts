/**
 * The lines of `tenement logs`.
 *
 * @since 0.1.0
 */
import type { LogLine } from "../../domain/Views.ts"
import * as Duration from "./Duration.ts"
import * as Palette from "./Palette.ts"

// oxlint-disable-next-line no-control-regex
const colour = /(\u001b\[[0-9;]*m)/

/** Services may colour what they print; they may not move the cursor, set the title or answer for the keyboard. */
const shown = (text: string): string =>
  text.split(colour).map((part, index) => index % 2 === 1 ? part : Palette.harmless(part)).join("") +
  (text.includes("\u001b[") ? "\u001b[0m" : "")

/**
 * One line. A terminal gets the time of day, `|` for stdout and `!` for stderr; a pipe gets the date, the instance,
 * the stream and then the text as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const line = (
  it: LogLine,
  options: {
    readonly now: number
    readonly terminal: boolean
    readonly palette: Palette.Palette
    /** How many columns the names of instances take; 0 where there is only one. */
    readonly names: number
  }
): string => {
  const { names, now, palette, terminal } = options
  if (!terminal) return `${it.at} ${it.instance} ${it.stream} ${it.text}`
  const name = names === 0 ? "" : `${palette.name(it.instance)}${" ".repeat(Math.max(0, names - it.instance.length))} `
  const mark = it.stream === "stderr" ? palette.bad("!") : palette.faint("|")
  const cut = it.truncated ? palette.faint("…") : ""
  return `${palette.faint(Duration.clock(it.at, now))} ${name}${mark} ${shown(it.text)}${cut}`
}

/**
 * What was printed and nothing else, byte for byte. A line that was too long for one piece goes on in the next.
 *
 * @since 0.1.0
 * @category combinators
 */
export const raw = ({ base64, lost, text, truncated, unfinished }: LogLine): Buffer => {
  if (lost !== undefined) return Buffer.alloc(0)
  const printed = base64 === undefined ? Buffer.from(text) : Buffer.from(base64, "base64")
  return truncated || unfinished === true ? printed : Buffer.concat([printed, Buffer.from("\n")])
}
