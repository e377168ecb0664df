import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { make } from "./Machine.ts"

const keys: Fx.Table = {
  ...Fx.eager,
  health: "/health",
  health_interval: "60 millis",
  health_timeout: 5,
  health_retries: 3,
  startup_timeout: 20
}

const requests = (entries: ReadonlyArray<Fx.Entry>) =>
  entries.filter(({ event }) => event === "request").map(({ detail, incarnation }) => `${incarnation} ${detail}`)

const starts = (entries: ReadonlyArray<Fx.Entry>) => entries.filter(({ event }) => event === "start")

describe("health", () => {
  it.scopedLive("two failures in a row are borne, three are one restart", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          flapping: Fx.service(keys, "serve=200,500,500,200,500,500,200"),
          ill: Fx.service(keys, "serve=200,500,500,500,500,500,200", "serve=200")
        }
      })
      const flapping = yield* machine.untilTruth("12 probes", "flapping", (entries) => requests(entries).length > 12)
      assert.strictEqual(starts(flapping).length, 1)
      const ill = yield* machine.untilTruth("5 probes of a second run", "ill", (entries) =>
        requests(entries).filter((request) =>
          request.startsWith("2 ")
        ).length > 5)
      assert.strictEqual(starts(ill).length, 2)
      assert.deepStrictEqual(requests(ill).filter((request) => request.startsWith("1 ")), [
        "1 GET /health 200",
        "1 GET /health 500",
        "1 GET /health 500",
        "1 GET /health 500"
      ])
      const { history, instance } = yield* machine.describe("ill")
      assert.deepInclude(instance, { state: "healthy", health: "healthy", restarts: 1 })
      assert.strictEqual(instance.lastExit?.reason, "unhealthy")
      assert.deepStrictEqual(history.filter(({ incarnation }) => incarnation === 1).map(({ to }) => to).slice(-5), [
        "starting",
        "healthy",
        "degraded",
        "unhealthy",
        "backoff"
      ])
      const verdict = history.find(({ to }) => to === "unhealthy")?.cause
      assert.deepInclude(verdict, { _tag: "ProbeFailed", inARow: 3, limit: 3 })
      assert.include((verdict as { readonly detail: string }).detail, "500")
    }))

  it.scopedLive("2xx and 3xx are healthy; other answers, silence, a slow one and a broken one are not", () =>
    Effect.gen(function*() {
      const answers = {
        "200": true,
        "204": true,
        "302": true,
        "404": false,
        "500": false,
        "503": false,
        hang: false,
        reset: false,
        "slow:4": false
      }
      const machine = yield* make({
        service: {
          web: Fx.service({ ...keys, health_interval: 3600, health_timeout: 2, restart: "never" }, "serve=200")
        }
      })
      yield* machine.until("web", "healthy")
      for (const [answer, healthy] of Object.entries(answers)) {
        yield* machine.answer("web", answer)
        const asked = Fx.now()
        const report = yield* machine.ask("probe", "web")
        assert.strictEqual(report.status, 200)
        assert.deepInclude(report.json, { instance: "web:default", healthy }, answer)
        assert.isBelow(Fx.now() - asked, 5000, "a probe has a deadline")
      }
      assert.strictEqual((yield* machine.view("web")).state, "healthy", "a probe that is asked for does not count")
    }))

  it.scopedLive("one that never becomes healthy is a failed start, and gets no public socket", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          ill: Fx.service(
            { ...keys, startup_timeout: "600 millis", max_restarts: 1 },
            "obey=TERM serve=500"
          ),
          silent: Fx.service({ ...keys, startup_timeout: "600 millis", restart: "never" }, "obey=TERM")
        }
      })
      const { socket } = yield* machine.until("ill", ({ pid }) => pid !== null)
      const refused = yield* Effect.flip(Http.request(socket!, "/"))
      assert.oneOf(refused.code, ["ENOENT", "ECONNREFUSED"])
      const entries = yield* machine.untilTruth(
        "two runs have ended",
        "ill",
        (entries) => entries.filter(({ event }) => event === "exit").length === 2
      )
      const told = entries.filter(({ event }) => event === "signal")
      for (const [index, start] of starts(entries).entries()) {
        assert.isAtLeast(told[index]!.at - start.at, 500, "startup_timeout, less what it takes to note the start")
        assert.isBelow(told[index]!.at - start.at, 2500)
      }
      const view = yield* machine.until("ill", "failed")
      assert.strictEqual(view.lastExit?.reason, "startup-timeout")
      const { history } = yield* machine.describe("ill")
      const timeout = history.find(({ cause }) => cause._tag === "StartupTimeout")?.cause
      assert.include((timeout as { readonly detail: string }).detail, "500", "it says what it saw last")
      assert.strictEqual((yield* machine.until("silent", "failed")).lastExit?.reason, "startup-timeout")
    }))

  it.scopedLive("the public path leads to the run that is ready, over TCP and for a service that binds it itself", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          behind: Fx.service({ ...keys, socket: "{data_dir}/../behind.sock" }, "serve=200"),
          itself: Fx.service(
            { ...keys, socket: "{data_dir}/../itself.sock" },
            "at={data_dir}/../itself.sock serve=200"
          ),
          tcp: Fx.service({ ...keys, port: "auto" }, "at=port serve=200")
        }
      })
      for (const name of ["behind", "itself", "tcp"]) yield* machine.until(name, "healthy")
      for (const name of ["behind", "itself"]) {
        const { socket } = yield* machine.view(name)
        for (const run of [1, 2]) {
          const answer = yield* Effect.orDie(Http.request(socket!, "/"))
          assert.strictEqual(answer.text, `${name}:default ${run}\n`)
          if (run === 1) assert.strictEqual((yield* machine.ask("restart", name)).status, 200)
        }
      }
      // What a service made by itself is its own to remove.
      yield* machine.stop("itself")
      fs.rmSync(`${machine.root}/itself.sock`, { force: true })
      const { port } = yield* machine.view("tcp")
      assert.isAbove(port!, 1023)
      const body = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text()))
      assert.strictEqual(body, "tcp:default 1\n")
    }))
})
