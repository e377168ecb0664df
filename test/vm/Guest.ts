/** Runs test files inside the virtual machine, with vitest's own runner but without vitest. */
import { startTests, type Task, type Test, type VitestRunner } from "@vitest/runner"
import * as fs from "node:fs"
import * as os from "node:os"
import type { Report } from "./Report.ts"

const nameOf = (task: Task): string => task.suite === undefined ? task.name : `${nameOf(task.suite)} > ${task.name}`

const errorsOf = ({ result }: Task): ReadonlyArray<string> =>
  (result?.errors ?? []).map((error) => error.stack ?? error.message)

/** `files` are imported in their order. */
export const run = async (files: Readonly<Record<string, () => Promise<unknown>>>): Promise<void> => {
  const line = fs.openSync(process.argv[2]!, "w")
  const tell = (report: Report) => void fs.writeSync(line, `${JSON.stringify(report)}\n`)

  const runner: VitestRunner = {
    config: {
      root: "/",
      setupFiles: [],
      passWithNoTests: false,
      sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
      maxConcurrency: 1,
      // A processor that is emulated is many times slower.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      retry: 0
    },
    importFile: (path) => files[path]!(),
    onAfterRunTask: (test: Test) =>
      tell({
        _tag: "Ended",
        name: nameOf(test),
        state: test.result?.state === "pass" ? "passed" : test.mode === "run" ? "failed" : "skipped",
        ms: Math.round(test.result?.duration ?? 0),
        errors: errorsOf(test)
      })
  }

  tell({ _tag: "Began", kernel: os.release(), ms: os.uptime() * 1000 })
  for (const file of await startTests(Object.keys(files), runner)) {
    if (errorsOf(file).length > 0) {
      tell({ _tag: "Ended", name: file.name, state: "failed", ms: 0, errors: errorsOf(file) })
    }
  }
  tell({ _tag: "Done" })
}
