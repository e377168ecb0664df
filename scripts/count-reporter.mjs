// Ends the output of a test run with one line, `N passed, N failed`, from vitest's own counts.

import * as fs from "node:fs"

export default class CountReporter {
  #passed = 0
  #failed = 0

  onTestRunEnd(modules, unhandledErrors) {
    this.#passed = 0
    this.#failed = unhandledErrors.length
    for (const module of modules) {
      // A file or suite that broke outside its tests counts once.
      this.#failed += module.errors().length
      for (const suite of module.children.allSuites()) this.#failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") this.#passed++
        else if (state !== "skipped") this.#failed++
      }
    }
  }

  onInit() {
    // Written at exit, so that nothing (a coverage table, another reporter) comes after it.
    process.once("exit", () => fs.writeSync(1, `${this.#passed} passed, ${this.#failed} failed\n`))
  }
}
