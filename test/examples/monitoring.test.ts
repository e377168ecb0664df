import { assert, describe, it } from "@effect/vitest"
import { execFile, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import * as Requirement from "../acceptance/Requirement.ts"

const { isSkipped, told } = Requirement.programs("prometheus")

const folder = path.resolve("examples/monitoring")
const read = (name: string) => fs.readFileSync(path.join(folder, name), "utf8")

const promtool = (...words: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync("promtool", words, { cwd: folder, encoding: "utf8" })
  assert.strictEqual(status, 0, `${stdout}${stderr}`)
}

/** Promtool reads expressions that stand in rules. */
const parses = (expressions: ReadonlyArray<string>) => {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-rules-"))
  try {
    const rules = expressions.map((expr, index) => ({ record: `r:${index}`, expr }))
    fs.writeFileSync(path.join(scratch, "rules.yml"), JSON.stringify({ groups: [{ name: "all", rules }] }))
    promtool("check", "rules", path.join(scratch, "rules.yml"))
  } finally {
    fs.rmSync(scratch, { recursive: true })
  }
}

const source = fs.readFileSync("src/layers/Metrics.ts", "utf8")
const metrics = new Set([...source.matchAll(/"(tenement_\w+)"/g)].map(([, name]) => name))

/** A histogram is told as three. */
const exists = (name: string) => metrics.has(name) || metrics.has(name.replace(/_(bucket|sum|count)$/, ""))

const named = (expressions: ReadonlyArray<string>) => {
  const names = expressions.flatMap((expr) => expr.match(/tenement_\w+/g) ?? [])
  assert.isNotEmpty(names)
  for (const name of names) assert.isTrue(exists(name), `${name} is no metric`)
}

const dashboard = JSON.parse(read("dashboard.json")) as {
  readonly panels: ReadonlyArray<{
    readonly id: number
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    readonly targets: ReadonlyArray<{ readonly expr: string }>
  }>
}

const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

const queries = [...fs.readFileSync("docs/metrics.md", "utf8").matchAll(/^```promql\n([^]*?)^```/gm)].flatMap((
  [, block = ""]
) => block.split("\n").filter((line) => line !== "" && !line.startsWith("#")))

describe("examples/monitoring", () => {
  it("names metrics that there are", () => {
    named(shown)
    named(queries)
    named([read("alerts.yml")])
    named([read("demo.mjs")])
  })

  it("the dashboard has its panels side by side", () => {
    assert.strictEqual(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
    const taken = new Set<string>()
    for (const { gridPos: { h, w, x, y } } of dashboard.panels) {
      assert.isAtMost(x + w, 24)
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          assert.isFalse(taken.has(`${column} ${row}`))
          taken.add(`${column} ${row}`)
        }
      }
    }
  })

  describe.skipIf(isSkipped)(`with promtool${told}`, () => {
    it("rules, scrape configuration and queries are sound, and the rules fire when they should", () => {
      promtool("check", "config", "prometheus.yml")
      promtool("check", "rules", "alerts.yml")
      promtool("test", "rules", "alerts_test.yml")
      parses(queries)
      parses(shown.map((expr) => expr.replaceAll("$service", ".*")))
    }, 60_000)

    it("the demo shows answers and alerts, and leaves nothing behind", async () => {
      const before = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("tenement-monitoring-"))
      const { stdout } = await promisify(execFile)(process.execPath, [path.join(folder, "demo.mjs")])
      assert.match(stdout, /count\(tenement_instance_uptime_seconds\)\n {2}all: 2/)
      assert.match(stdout, /tenement_requests_total[^]*shop: [\d.e-]+/)
      assert.match(stdout, /tenement_errors_total[^]*broken: [\d.e-]+/)
      assert.match(stdout, /TenementInstanceFailed: broken:default/)
      assert.deepStrictEqual(
        fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("tenement-monitoring-")),
        before
      )
    }, 180_000)
  })
})
