/**
 * `npm run mutants [-- --only WORD]`: breaks one rule of the source at a time, in a bundle of its own, and lives one seed after the other
 * until somebody notices.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import * as Bundle from "./Bundle.ts"
import * as Mutations from "./Mutations.ts"
import * as Workers from "./Workers.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    only: { type: "string", default: "" },
    processes: { type: "string", default: String(os.availableParallelism()) }
  }
})
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-mutants-"))
const queue = Mutations.all.filter(({ name }) => name.includes(values.only))
const count = queue.length
let escaped = 0
const worker = async () => {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const program = path.join(folder, `${Mutations.all.indexOf(mutant)}.mjs`)
    await Bundle.make(program, Mutations.editsOf(mutant))
    const { broken } = await Workers.live(program, { from: 1, seeds: Number(values.seeds), processes: 1 })
    const [first] = broken
    if (first === undefined) escaped++
    console.log(`| ${mutant.name} | ${first === undefined ? "nobody" : `seed ${first[0]}: ${first[1][0]}`} |`)
    fs.rmSync(program)
  }
}
await Promise.all(Array.from({ length: Number(values.processes) }, worker))
fs.rmSync(folder, { recursive: true })
console.log(`${count} mutants, ${escaped} not noticed`)
process.exitCode = escaped === 0 ? 0 : 1
