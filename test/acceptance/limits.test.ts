import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as Cgroup from "./Cgroup.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

// Whoever runs all of the tests says `CI=true`, and cannot miss one.
const isSkipped = !Cgroup.canLimit && process.env["CI"] !== "true"
const limited = (name: string, test: () => Effect.Effect<void, never, Scope.Scope>) =>
  it.scopedLive.skipIf(isSkipped)(`${name}${isSkipped ? " (needs root and a cgroup file system)" : ""}`, test)

const limits = { memory_limit_mb: 64, cpu_shares: 200, cpu_limit: 0.5, pids_limit: 64 }

const memory = { v1: "memory.limit_in_bytes", v2: "memory.max" }
const pids = { v1: "pids.max", v2: "pids.max" }

const mib = 1024 * 1024

const samples = (machine: Machine, metric: string) =>
  Effect.map(
    machine.api("/metrics"),
    ({ text }) =>
      new Map([...text.matchAll(new RegExp(`^${metric}\\{(.*)\\} (\\S+)$`, "gm"))].map(([, labels, value]) =>
        [/instance="([^"]+)"/.exec(labels!)![1]!, Number(value)] as const
      ))
  )

describe("limits", () => {
  limited("are what the file says, for the program and all that it forks", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service(limits, "child session daemon"), free: Fx.service({}, "") }
      })
      const entries = yield* machine.untilTruth("a family", "web", (all) => all.some(({ event }) => event === "daemon"))
      yield* machine.untilUp("web", "free")
      for (const { pid } of entries.filter(({ event }) => /start|child|session|daemon/.test(event))) {
        assert.strictEqual(Cgroup.valueOf(pid, "memory", memory), String(64 * mib))
        assert.strictEqual(Cgroup.valueOf(pid, "pids", pids), "64")
        assert.oneOf(Cgroup.valueOf(pid, "cpu", { v1: "cpu.shares", v2: "cpu.weight" }), ["2048", "200"])
        assert.oneOf(Cgroup.valueOf(pid, "cpu", { v1: "cpu.cfs_quota_us", v2: "cpu.max" }), ["50000", "50000 100000"])
      }
      const { pid } = yield* machine.view("free")
      assert.strictEqual(Cgroup.valueOf(pid!, "pids", pids), "max")
      // One folder in every hierarchy that is used, gone with the run.
      const folders = [...Cgroup.foldersOf(pid!).values()].filter((folder) => folder.endsWith("/free@default"))
      assert.isNotEmpty(folders)
      for (const folder of folders) fs.mkdirSync(`${folder}/a-tenant's`)
      const [beside] = folders.map((folder) => folder.replace(/[^/]*$/, "somebody.else"))
      fs.mkdirSync(beside!)
      yield* machine.stop("free")
      assert.deepStrictEqual(folders.filter((folder) => fs.existsSync(folder)), [])
      assert.isTrue(fs.existsSync(beside!))
      fs.rmdirSync(beside!)
    }))

  limited("that alone were changed are put on the process that runs", () =>
    Effect.gen(function*() {
      const file = (keys: Fx.Table) => ({ service: { web: Fx.service(keys, "") } })
      const machine = yield* make(file({}))
      yield* machine.untilUp("web")
      const { pid } = yield* machine.view("web")
      for (const [keys, expected] of [[limits, "64"], [{ pids_limit: 32 }, "32"], [{}, "max"]] as const) {
        yield* machine.write(file(keys))
        assert.strictEqual((yield* machine.cli("reload", "--config", machine.file)).code, 0)
        assert.strictEqual(Cgroup.valueOf(pid!, "pids", pids), expected)
      }
      assert.strictEqual((yield* machine.view("web")).pid, pid)
    }))

  limited("that cannot be had fail the start, with the file and the errno; others run", () =>
    Effect.gen(function*() {
      const readOnly = `
        while read -r _ folder type _; do
          case $type in cgroup*) mount -o remount,bind,ro "$folder";; esac
        done </proc/self/mounts
        exec "$@"`
      const machine = yield* make({
        service: { web: Fx.service({ ...limits, max_restarts: 0 }, ""), free: Fx.service({}, "") }
      }, { via: ["unshare", "--mount", "sh", "-c", readOnly, "sh"] })
      yield* machine.untilUp("free")
      yield* machine.until("web", "failed")
      assert.isEmpty(yield* machine.truth("web"))
      const { stdout } = yield* machine.cli("why", "web")
      assert.match(stdout, /its memory_limit_mb cannot be applied: \/sys\/fs\/cgroup\/\S+ \(EROFS\)/)
    }))

  limited("a fork bomb stays within its own, and a stop ends all of it", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ pids_limit: 64, stop_timeout: "500 millis" }, "ignore=TERM bomb") }
      })
      const [{ pid }] = yield* machine.untilTruth("a bomb", "web", (all) =>
        all.some(({ event }) =>
          event === "bomb"
        )) as Effect.Effect<[Fx.Entry]>
      const current = { v1: "pids.current", v2: "pids.current" }
      yield* eventually("it is full", Effect.sync(() => Number(Cgroup.valueOf(pid, "pids", current))), (n) => n >= 60)
      assert.isAtMost(Number(Cgroup.valueOf(pid, "pids", current)), 64)
      const { forced } = yield* machine.stop("web")
      assert.isTrue(forced)
      assert.deepStrictEqual(Proc.withArgument(machine.dataDir), [])
    }))
})

describe("what is killed for memory", () => {
  limited("says so: the main process, or a worker; and not what somebody else killed", () =>
    Effect.gen(function*() {
      const keys = { ...Fx.eager, memory_limit_mb: 64 }
      const machine = yield* make({
        service: {
          eater: Fx.service(keys, "allocate=200", ""),
          worker: Fx.service(keys, "worker=200", ""),
          cacher: Fx.service(keys, "cache=big", ""),
          other: Fx.service(keys, "")
        }
      }, { before: (root) => fs.writeFileSync(`${root}/big`, Buffer.alloc(90 * mib)) })
      yield* machine.untilUp("cacher", "other")
      const eater = yield* machine.until("eater", ({ restarts, state }) => restarts === 1 && state === "running")
      assert.deepInclude(eater.lastExit!, { reason: "oom-killed", signal: "SIGKILL" })
      assert.match((yield* machine.cli("why", "eater")).stdout, /killed by the kernel for memory/)
      // Version 2 takes the main process too; with version 1 it may go on, and the events tell.
      const told = yield* eventually(
        "the worker's end is told",
        Effect.zipRight(machine.list, machine.cli("events")),
        ({ stdout }) => /worker:default.*for memory/.test(stdout)
      )
      assert.match(told.stdout, /memory_limit_mb/)
      const { pid } = yield* machine.view("other")
      process.kill(pid!, "SIGKILL")
      const other = yield* machine.until("other", ({ restarts, state }) => restarts === 1 && state === "running")
      assert.deepInclude(other.lastExit!, { reason: "signaled", signal: "SIGKILL" })
      assert.deepStrictEqual(
        yield* samples(machine, "tenement_oom_kills_total"),
        new Map([["cacher:default", 0], ["eater:default", 1], ["other:default", 0], ["worker:default", 1]])
      )
      assert.strictEqual((yield* machine.view("cacher")).restarts, 0)
    }))
})
