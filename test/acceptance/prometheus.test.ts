import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { make } from "./Machine.ts"
import * as Nginx from "./Nginx.ts"
import * as Requirement from "./Requirement.ts"

const { isSkipped, told } = Requirement.programs("nginx", "prometheus")

const script = path.resolve(import.meta.dirname, "../fixtures/upstream.mjs")

/** A Prometheus that reads from this port as often as it can. */
const prometheus = (target: number) =>
  Effect.gen(function*() {
    const port = yield* Nginx.freePort
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "tenement-prometheus-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    fs.writeFileSync(
      path.join(folder, "prometheus.yml"),
      JSON.stringify({
        global: { scrape_interval: "500ms", scrape_timeout: "500ms" },
        scrape_configs: [{ job_name: "tenement", static_configs: [{ targets: [`localhost:${target}`] }] }]
      })
    )
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("/usr/bin/prometheus", [
          `--config.file=${folder}/prometheus.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          "--log.level=error"
        ], { stdio: "ignore" })
      ),
      (child) =>
        Effect.async<void>((resume) => {
          if (child.exitCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGTERM")
        })
    )
    const query = (text: string) =>
      Effect.map(
        Http.request(port, `/api/v1/query?query=${encodeURIComponent(text)}`),
        ({ json, status }) => ({ status, answer: json as Answer | undefined })
      )
    return { query }
  })

interface Answer {
  readonly data?: {
    readonly result: ReadonlyArray<
      { readonly metric: Readonly<Record<string, string>>; readonly value: [number, string] }
    >
  }
}

const valuesOf = (answer: Answer | undefined): Readonly<Record<string, number>> =>
  Object.fromEntries(
    (answer?.data?.result ?? []).map(({ metric, value }) => [metric["service"] ?? "", Number(value[1])])
  )

describe.skipIf(isSkipped)(`prometheus${told}`, () => {
  it.scopedLive("answers the queries with what nginx has served", () =>
    Effect.gen(function*() {
      const [listen, syslog, port] = yield* Effect.all([Nginx.freePort, Nginx.freePort, Nginx.freePort])
      const service = (keys: Fx.Table) => ({ command: process.execPath, args: [script], isolation: "process", ...keys })
      const machine = yield* make({
        settings: { listen: `127.0.0.1:${listen}`, domain: "example.test", syslog: `127.0.0.1:${syslog}` },
        service: {
          api: service({ readiness: "socket", instances: ["default", "blue"] }),
          worker: service({ readiness: "socket" }),
          gone: Fx.service({ instances: ["default"] }, "")
        }
      }, { extraDescriptors: 3 })
      const { stdout } = yield* machine.cli("nginx", "--listen", `127.0.0.1:${port}`)
      yield* Nginx.serve(stdout)
      const { query } = yield* prometheus(listen)

      const ask = (host: string) => Effect.orDie(Http.request(port, "/", { headers: { host: `${host}.example.test` } }))
      const looked = (text: string) =>
        Effect.gen(function*() {
          yield* Effect.forEach(["api", "worker", "gone"], ask, { discard: true })
          const found = yield* Effect.either(query(text))
          return found._tag === "Left" ? {} : valuesOf(found.right.answer)
        })
      const answered = (text: string, ...services: ReadonlyArray<string>) =>
        eventually(
          text,
          looked(text),
          (values) => services.every((service) => (values[service] ?? 0) > 0),
          "40 seconds"
        )

      assert.deepStrictEqual(yield* answered("count(tenement_instance_uptime_seconds)", ""), { "": 4 })
      yield* answered("sum(tenement_instance_memory_mb) by (service)", "api", "worker", "gone")
      yield* answered("sum(rate(tenement_requests_total[5m])) by (service)", "api", "worker", "gone")
      yield* answered("sum(rate(tenement_errors_total[5m])) by (service)", "gone")
      // By words that sum nothing, there is nothing to group.
      for (
        const loose of ["tenement_instance_memory_mb by (service)", "rate(tenement_requests_total[5m]) by (service)"]
      ) {
        assert.strictEqual((yield* query(loose)).status, 400)
      }
    }), { timeout: 120_000 })

  it.scopedLive("promtool finds nothing wrong with what is told", () =>
    Effect.gen(function*() {
      const listen = yield* Nginx.freePort
      const machine = yield* make({
        settings: { listen: `127.0.0.1:${listen}` },
        service: { web: Fx.service({ ...Fx.eager }, "exit=1", "") }
      }, { extraDescriptors: 2 })
      yield* machine.until("web", ({ restarts, state }) => state === "running" && restarts === 1)
      yield* Effect.orDie(Http.request(listen, "/", { headers: { host: "web.localhost" } }))
      const { text } = yield* machine.api("/metrics")
      const ours = text.split("\n").filter((line) => /^(# (HELP|TYPE) )?tenement_/.test(line)).join("\n")
      const { stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input: `${ours}\n`, encoding: "utf8" })
      // The one name that is not as Prometheus would have it is what people's dashboards say.
      const known = "tenement_instance_memory_mb metric names should not contain abbreviated units"
      assert.deepStrictEqual(`${stdout}${stderr}`.split("\n").filter((line) => line !== "" && line !== known), [])
    }))
})
