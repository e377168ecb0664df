import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const ladder: Fx.Table = {
  restart: "on-failure",
  max_restarts: 3,
  restart_window: 60,
  backoff_base_ms: 50,
  backoff_max_ms: 200,
  backoff_jitter: 0
}

const broken: Readonly<Record<string, { readonly table: Fx.Table; readonly code: string }>> = {
  missing: { table: { command: "{data_dir}/../no-such-program" }, code: "ENOENT" },
  "not-on-path": { table: { command: "no-such-program-anywhere" }, code: "ENOENT" },
  "not-executable": { table: { command: "{data_dir}/../plain-file" }, code: "EACCES" },
  "no-interpreter": { table: { command: "{data_dir}/../bad-shebang" }, code: "ENOENT" },
  "not-a-program": { table: { command: "{data_dir}/../truth" }, code: "EACCES" },
  "no-folder": { table: { command: "sleep", args: ["60"], cwd: "{data_dir}/../no-such-folder" }, code: "ENOENT" },
  "too-long": { table: { command: "sleep", args: ["x".repeat(200 << 10)] }, code: "E2BIG" }
}

describe("a command that cannot be started", () => {
  it.scopedLive("is a failure like any other: named by its errno, retried by the ladder, given up, and nobody's end", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          ...Object.fromEntries(
            Object.entries(broken).map(([name, { table }]) => [
              name,
              { isolation: "process", ...ladder, ...table, instances: [] }
            ])
          ),
          neighbour: Fx.service({}, "")
        }
      }, { env: { PATH: "/usr/bin:/bin" } })
      fs.writeFileSync(`${machine.root}/plain-file`, "#!/bin/sh\n", { mode: 0o644 })
      fs.writeFileSync(`${machine.root}/bad-shebang`, "#!/no/such/interpreter\n", { mode: 0o755 })
      const neighbour = Proc.identity((yield* machine.until("neighbour", "running")).pid!)
      yield* Effect.forEach(Object.entries(broken), ([name, { code }]) =>
        Effect.gen(function*() {
          const answer = yield* machine.api("/api/instances", { method: "POST", body: { service: name } })
          assert.strictEqual(answer.status, 409, `${name}: ${answer.text}`)
          assert.propertyVal(answer.json, "_tag", "NotReady")
          const view = yield* machine.until(name, "failed")
          assert.deepInclude(view, { restarts: 3, pid: null, nextStartAt: null }, name)
          assert.deepInclude(view.lastExit, { code: null, signal: null, reason: "launch-failed" }, name)
          const { history } = yield* machine.describe(name)
          const failures = history.filter(({ cause }) => cause._tag === "LaunchFailed")
          assert.isAtLeast(failures.length, 4, name)
          for (const { cause } of failures) assert.propertyVal(cause, "code", code, name)
          const waits = history.flatMap(({ cause }) => cause._tag === "BackoffElapsed" ? [cause.afterMs] : [])
          assert.deepStrictEqual(waits, [50, 100, 200], name)
        }), { concurrency: "unbounded", discard: true })
      assert.strictEqual(Proc.identity((yield* machine.view("neighbour")).pid!), neighbour)
    }))

  it.scopedLive("starts by itself once the cause is removed", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          late: { ...Fx.service({ ...ladder, max_restarts: "unlimited" }, ""), command: "{data_dir}/../late" }
        }
      })
      yield* machine.until("late", ({ restarts }) => restarts >= 2)
      fs.symlinkSync("/usr/bin/perl", `${machine.root}/late`)
      yield* machine.until("late", "running")
      yield* machine.untilUp("late")
      fs.rmSync(`${machine.root}/late`)
    }))

  it.scopedLive("a supervisor out of descriptors says so, answers, and recovers", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ ...ladder, max_restarts: "unlimited", instances: [] }, "") }
      })
      const { pid } = machine.supervisor
      const limit = (soft: number) => execFileSync("prlimit", ["--pid", String(pid), `--nofile=${soft}:`])
      // Room for the connections of this test and nothing else.
      const used = Math.max(...Proc.descriptors(pid).keys())
      limit(used + 4)
      const spawned = yield* Effect.fork(machine.api("/api/instances", { method: "POST", body: { service: "web" } }))
      yield* eventually("a start failed", machine.list, ([view]) => (view?.restarts ?? 0) >= 1)
      const asked = Fx.now()
      const [view] = yield* machine.list
      assert.isBelow(Fx.now() - asked, 1000)
      assert.strictEqual(view?.lastExit?.reason, "launch-failed")
      const { history } = yield* machine.describe("web")
      assert.isTrue(history.some(({ cause }) => cause._tag === "LaunchFailed" && cause.code === "EMFILE"))
      limit(4096)
      yield* machine.until("web", "running")
      yield* spawned
    }))
})
