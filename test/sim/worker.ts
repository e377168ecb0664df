/** `worker FROM COUNT STEP`: lives every STEPth seed, and says as JSON what was reached, and which broke a rule. */
import * as Lived from "./Lived.ts"
import * as Plan from "./Plan.ts"

// Where an error was made is of no interest here, and takes a good part of the time.
Error.stackTraceLimit = 0

export type Line =
  | { readonly seed: number; readonly violations: ReadonlyArray<string> }
  | { readonly lived: number; readonly reached: Readonly<Record<string, number>> }

const [from = 1, count = 1, step = 1] = process.argv.slice(2).map(Number)
/** After so many of them it says how far it is. */
const portion = 250

let reached: Record<string, number> = {}
let lived = 0
const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const report = () => {
  say({ lived, reached })
  lived = 0
  reached = {}
}
for (let seed = from; seed < from + count; seed += step) {
  const life = Lived.live(Plan.of(seed))
  lived++
  for (const what of life.reached) reached[what] = (reached[what] ?? 0) + 1
  if (life.violations.length > 0) say({ seed, violations: life.violations })
  if (lived === portion) report()
}
report()
