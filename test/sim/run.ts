/** `npm run sim -- --seeds N [--from S]`, or `--seed S` for one of them, told in full. */
import { parseArgs } from "node:util"
import * as Life from "./Life.ts"
import * as Plan from "./Plan.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    quiet: { type: "boolean", default: false }
  }
})

const tell = (plan: Plan.Plan): void => {
  for (const step of plan.steps) console.log(`  ${Plan.tell(step)}`)
}

const only = values.seed === undefined ? null : Number(values.seed)
const from = only ?? Number(values.from)
const count = only === null ? Number(values.seeds) : 1
const reached = new Map<string, number>()
const begun = performance.now()

/** Gives the supervisor's garbage time to be collected. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))

for (let seed = from; seed < from + count; seed++) {
  const plan = Plan.of(seed)
  const { reached: here, violations } = Life.live(plan)
  for (const what of here) if (!reached.has(what)) reached.set(what, seed)
  if (violations.length > 0) {
    console.log(`seed ${seed}: ${violations.join("\n")}`)
    if (!values.quiet) {
      const shorter = Life.shrink(plan)
      console.log(`cut down to ${shorter.steps.length} of ${plan.steps.length} steps:`)
      tell(shorter)
      console.log(`${Life.live(shorter).violations.join("\n")}\nreplay: npm run sim -- --seed ${seed}`)
    }
    process.exit(1)
  }
  if (only !== null) tell(plan)
  if (seed % 50 === 0) await breathe()
  if (seed % 1000 === 0 && !values.quiet) {
    console.log(
      `${seed - from + 1} seeds, ${Math.round((performance.now() - begun) / 1000)} s, ${reached.size} reached`
    )
  }
}
if (!values.quiet) { for (const [what, seed] of [...reached].sort()) console.log(`${what}: seed ${seed}`) }
console.log(`${count} seeds from ${from}: nothing went wrong`)
