import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"

/** Runs an example as `npm run example` does, but in a folder of its own. */
const run = async (example: string) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "tenement-example-"))
  const viteNode = path.resolve("node_modules/.bin/vite-node")
  const config = path.resolve("vitest.config.ts")
  try {
    const words = ["--root", process.cwd(), "--config", config, path.resolve(`examples/${example}/main.ts`)]
    return await promisify(execFile)(viteNode, words, { cwd: folder })
  } finally {
    await fs.rm(folder, { recursive: true })
  }
}

describe("examples", () => {
  it("custom-layers brings its cache back three times, by its own backoff and its own check", async () => {
    const { stderr, stdout } = await run("custom-layers")
    assert.strictEqual(stderr, "")
    const delays = [...stdout.matchAll(/starting: the delay of (\d+) ms/g)].map(([, delay]) => delay)
    assert.deepStrictEqual(delays, ["100", "100", "200"])
    assert.strictEqual(stdout.match(/healthy: it became ready after \d+ ms \(PONG\)/g)?.length, 4)
    assert.strictEqual(stdout.match(/backoff: it exited with code 1/g)?.length, 3)
  }, 120_000)

  it("testing-your-config tells the states after a storm", async () => {
    const { stderr, stdout } = await run("testing-your-config")
    assert.strictEqual(stderr, "")
    assert.strictEqual(
      stdout,
      "at first: api is healthy, worker running\n" +
        "after twenty crashes of the worker: api is healthy, worker running\n" +
        "after five crashes of the api: api is failed, worker running\n" +
        "under another supervisor: api is failed, worker running\n"
    )
  }, 120_000)

  it.skipIf(process.getuid?.() !== 0 && process.env["CI"] !== "true")(
    "custom-isolation takes the network from one of two (needs root, or user namespaces)",
    async () => {
      const { stderr, stdout } = await run("custom-isolation")
      assert.strictEqual(stderr, "")
      const lines = stdout.trimEnd().split("\n").toSorted()
      assert.strictEqual(lines[0], "offline:default: no network")
      assert.match(lines[1] ?? "", /^online:default: .*\blo\b/)
    },
    120_000
  )

  it("schedule-laws catches the schedule that forgot its cap", async () => {
    const { stdout } = await run("schedule-laws")
    assert.match(stdout, /^careful: keeps every law$/m)
    assert.match(stdout, /^careless: the schedule breaks the law "every delay is from 80 to 6000 ms"/m)
  }, 120_000)
})
