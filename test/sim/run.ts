/**
 * `npm run sim -- --seeds N [--from S]` lives seeds on all processors, or `--seed S` one of them, told in full. A run of
 * nightly size also fails if something is never reached that has to be. Ctrl-C ends it with what it came to until then.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import * as Bundle from "./Bundle.ts"
import * as Coverage from "./Coverage.ts"
import * as Lived from "./Lived.ts"
import * as Plan from "./Plan.ts"
import * as Workers from "./Workers.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    processes: { type: "string", default: String(os.availableParallelism()) }
  }
})

/** Of a seed that breaks a rule, the steps that matter. */
const tell = (seed: number, violations: ReadonlyArray<string>): void => {
  const plan = Plan.of(seed)
  const shorter = Lived.shrink(plan)
  console.log(`seed ${seed}: ${violations.join("\n")}`)
  console.log(`cut down to ${shorter.steps.length} of ${plan.steps.length} steps:`)
  Lived.live(shorter, console.log)
  console.log(`${Lived.live(shorter).violations.join("\n")}\nreplay: npm run sim -- --seed ${seed}`)
}

const one = (seed: number): boolean => {
  const { violations } = Lived.live(Plan.of(seed), console.log)
  if (violations.length > 0) tell(seed, violations)
  else console.log(`seed ${seed}: nothing went wrong`)
  return violations.length === 0
}

const many = async (): Promise<boolean> => {
  const [seeds, from] = [Number(values.seeds), Number(values.from)]
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-sim-"))
  const program = path.join(folder, "lives.mjs")
  await Bundle.make(program)
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1000
  const enough = new AbortController()
  process.once("SIGINT", () => enough.abort())
  const { broken, lived, reached } = await Workers.live(program, {
    from,
    seeds,
    processes: Number(values.processes),
    patience: 3,
    enough: enough.signal,
    found: (seed) => console.log(`seed ${seed} breaks a rule`),
    progress: (so) => {
      if (so % 2500 < 250) console.log(`${so} lives, ${Math.round(so / seconds())} per second`)
    }
  })
  fs.rmSync(folder, { recursive: true })
  for (const [what, times] of [...reached].sort()) console.log(`${String(times).padStart(8)} ${what}`)
  for (const [seed, violations] of broken) tell(seed, violations)
  if (broken.size > 0) return false
  const never = Coverage.never(reached, "nightly")
  for (const what of never) console.log(`never reached: ${what}`)
  console.log(`${lived} lives from seed ${from} on in ${Math.round(seconds())} s: nothing went wrong`)
  return never.length === 0 || lived < Coverage.nightly
}

process.exitCode = (values.seed === undefined ? await many() : one(Number(values.seed))) ? 0 : 1
