/** Runs test files inside the virtual machine, with vitest's own runner but without vitest. */
import { startTests, type Suite, type Task, type Test, type VitestRunner } from "@vitest/runner"
import * as fs from "node:fs"
import * as os from "node:os"
import type { Ended, Report } from "./Report.ts"

const nameOf = (task: Task): string => task.suite === undefined ? task.name : `${nameOf(task.suite)} > ${task.name}`

const errorsOf = ({ result }: Task): ReadonlyArray<string> =>
  (result?.errors ?? []).map((error) => error.stack ?? error.message)

const suitesOf = (suite: Suite): ReadonlyArray<Suite> =>
  suite.tasks.flatMap((task) => task.type === "suite" ? [task, ...suitesOf(task)] : [])

const stateOf = ({ result }: Test): Ended["state"] =>
  result?.state === "pass" ? "passed" : result?.state === "fail" ? "failed" : "skipped"

/** A test file, and which of its tests are run. */
export interface Part {
  readonly file: string
  readonly only: RegExp | undefined
  readonly load: () => Promise<unknown>
}

export const run = async (parts: ReadonlyArray<Part>): Promise<void> => {
  const line = fs.openSync(process.argv[2]!, "w")
  const tell = (report: Report) => void fs.writeSync(line, `${JSON.stringify(report)}\n`)

  const runnerOf = ({ load, only }: Part): VitestRunner => ({
    config: {
      root: "/",
      setupFiles: [],
      passWithNoTests: false,
      sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
      maxConcurrency: 1,
      // A processor that is emulated is many times slower.
      testTimeout: 400_000,
      hookTimeout: 400_000,
      retry: 0,
      ...(only === undefined ? {} : { testNamePattern: only })
    },
    importFile: load,
    onAfterRunTask: (test: Test) =>
      tell({
        _tag: "Ended",
        name: nameOf(test),
        state: stateOf(test),
        ms: Math.round(test.result?.duration ?? 0),
        errors: errorsOf(test)
      })
  })

  tell({ _tag: "Began", kernel: os.release(), ms: os.uptime() * 1000 })
  for (const part of parts) {
    for (const file of await startTests([part.file], runnerOf(part))) {
      for (const broken of [file, ...suitesOf(file)].filter((suite) => errorsOf(suite).length > 0)) {
        tell({ _tag: "Ended", name: nameOf(broken), state: "failed", ms: 0, errors: errorsOf(broken) })
      }
    }
  }
  tell({ _tag: "Done" })
}
