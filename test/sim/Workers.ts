/** Seeds, lived by as many processes as there are processors. */
import { spawn } from "node:child_process"
import * as os from "node:os"
import * as path from "node:path"
import * as readline from "node:readline"
import type { Line } from "./worker.ts"

interface Lived {
  readonly lived: number
  /** In how many lives something was reached. */
  readonly reached: ReadonlyMap<string, number>
  /** The first seeds that broke a rule, and how. */
  readonly broken: ReadonlyMap<number, ReadonlyArray<string>>
}

interface Options {
  readonly from: number
  readonly seeds: number
  readonly processes?: number
  /** It is over as soon as so many seeds broke a rule. */
  readonly patience?: number
  readonly progress?: (lived: number) => void
  /** A seed broke a rule: nobody has to wait for the others to hear of it. */
  readonly found?: (seed: number) => void
  /** Ends it before its time, with what has been lived until then. */
  readonly enough?: AbortSignal
}

/** Lives these seeds with a bundle of `Bundle.make`, in whose folder it leaves what it writes. */
export const live = async (program: string, options: Options): Promise<Lived> => {
  const { enough, found, from, patience = 1, processes = os.availableParallelism(), progress, seeds } = options
  const reached = new Map<string, number>()
  const broken = new Map<number, ReadonlyArray<string>>()
  let lived = 0
  const workers = Array.from({ length: Math.min(processes, seeds) }, (_, index) => {
    const range = [from + index, seeds - index, Math.min(processes, seeds)].map(String)
    return spawn(process.execPath, ["--max-semi-space-size=32", program, ...range], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TENEMENT_TEST_FOLDER: path.dirname(program) }
    })
  })
  const end = () => workers.forEach((worker) => worker.kill("SIGKILL"))
  enough?.addEventListener("abort", end)
  const hear = (line: Line) => {
    if ("seed" in line) {
      broken.set(line.seed, line.violations)
      found?.(line.seed)
      if (broken.size >= patience) end()
      return
    }
    lived += line.lived
    for (const [what, times] of Object.entries(line.reached)) reached.set(what, (reached.get(what) ?? 0) + times)
    progress?.(lived)
  }
  await Promise.all(workers.map(async (worker) => {
    const ended = new Promise<number | null>((resolve) => worker.once("close", resolve))
    for await (const line of readline.createInterface({ input: worker.stdout })) hear(JSON.parse(line) as Line)
    const isWhole = (await ended) === 0
    const isEnough = broken.size >= patience || enough?.aborted === true
    if (!isWhole && !isEnough) throw new Error("a process that lives seeds has died")
  }))
  return { lived, reached, broken: new Map([...broken].sort(([a], [b]) => a - b)) }
}
