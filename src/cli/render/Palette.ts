/**
 * Colours, and the width of text that may hold them.
 *
 * @since 0.1.0
 */
import { stripVTControlCharacters } from "node:util"
import type { StateLabel } from "../../domain/Views.ts"

/**
 * Something that is done to text without changing what it says.
 *
 * @since 0.1.0
 * @category models
 */
export type Paint = (text: string) => string

/**
 * @since 0.1.0
 * @category models
 */
export interface Palette {
  readonly good: Paint
  readonly warn: Paint
  readonly bad: Paint
  readonly faint: Paint
  readonly strong: Paint
  /** Tells one name from another: the same name always has the same colour. */
  readonly name: (name: string) => string
}

const sgr = (code: number): Paint => (text) => text === "" ? "" : `\u001b[${code}m${text}\u001b[0m`

const nameColours = [36, 35, 34, 33, 32, 96, 95, 94, 93, 92].map(sgr)

const hash = (name: string): number => {
  let value = 0
  for (let index = 0; index < name.length; index++) value = (value * 31 + name.charCodeAt(index)) >>> 0
  return value
}

/**
 * For a terminal.
 *
 * @since 0.1.0
 * @category constants
 */
export const ansi: Palette = {
  good: sgr(32),
  warn: sgr(33),
  bad: sgr(31),
  faint: sgr(2),
  strong: sgr(1),
  name: (name) => (nameColours[hash(name) % nameColours.length] ?? sgr(36))(name)
}

const same: Paint = (text) => text

/**
 * For a pipe, and for who does not want colours.
 *
 * @since 0.1.0
 * @category constants
 */
export const plain: Palette = { good: same, warn: same, bad: same, faint: same, strong: same, name: same }

const byState: Readonly<Record<StateLabel, "good" | "warn" | "bad" | "faint">> = {
  starting: "warn",
  running: "good",
  healthy: "good",
  degraded: "warn",
  unhealthy: "bad",
  backoff: "warn",
  stopping: "warn",
  stopped: "faint",
  sleeping: "faint",
  completed: "good",
  failed: "bad"
}

/**
 * Whether a word is the state of an instance.
 *
 * @since 0.1.0
 * @category guards
 */
export const isState = (word: string): word is StateLabel => Object.hasOwn(byState, word)

/**
 * The colour of a state: what is up, what is under way, what needs somebody.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofState = (palette: Palette, state: StateLabel): Paint => palette[byState[state]]

/**
 * How many columns a text takes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const width = (text: string): number => {
  let columns = 0
  for (const _ of stripVTControlCharacters(text)) columns++
  return columns
}

// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

const caret = (character: string): string => {
  const code = character.charCodeAt(0)
  return code < 0x20 ? `^${String.fromCharCode(code + 64)}` : code === 0x7f ? "^?" : `\\x${code.toString(16)}`
}

/**
 * Makes text that came from a service harmless on a terminal: control characters are shown, not obeyed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const harmless = (text: string): string => text.replace(control, caret)
