import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (file: string) => fileURLToPath(new URL(`src/${file}`, import.meta.url))

export default defineConfig({
  // As `paths` of tsconfig.json: examples and tests see the sources, not what was built of them.
  resolve: {
    alias: [
      { find: /^tenement$/, replacement: source("index.ts") },
      { find: /^tenement\/testkit$/, replacement: source("testkit/index.ts") }
    ]
  },
  test: {
    pool: "forks",
    // Files share a process with what it has imported: loading Effect anew for each takes a second of it. One more than
    // there are processors, because acceptance mostly waits; and all of them to the end, because a process that is no
    // longer needed would be ended with an error that counts as a failure.
    poolOptions: { forks: { isolate: false, maxForks: 3, minForks: 3 } },
    reporters: ["default", "./scripts/count-reporter.mjs"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          setupFiles: ["test/breath.ts"],
          globalSetup: ["test/folder.ts"],
          include: ["test/**/*.test.ts"],
          // Laws take as long as the machine is slow.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          exclude: ["test/acceptance/**", "test/examples/**", "test/vm/**"],
          sequence: { groupOrder: 0 }
        }
      },
      {
        // Real daemons and real processes, which mostly wait: after everything else, which mostly computes.
        extends: true,
        test: {
          name: "acceptance",
          include: ["test/acceptance/**/*.test.ts", "test/examples/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 }
        }
      }
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "html", "json-summary"],
      thresholds: {
        "src/domain/**/*.ts": { statements: 90, branches: 85, functions: 90, lines: 90 }
      }
    }
  }
})
