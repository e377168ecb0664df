import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "../acceptance/Eventually.ts"
import * as Fx from "../acceptance/Fx.ts"
import { make } from "../acceptance/Machine.ts"
import * as Proc from "../acceptance/Proc.ts"

const root = "/sys/fs/cgroup"

const cgroupOf = (pid: number | string): string =>
  fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().replace(/^0::/, root)

const read = (file: string): string => fs.readFileSync(file, "utf8").trim()

const inside = (folder: string): ReadonlyArray<string> =>
  fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)

/** A cgroup such as systemd gives to a unit with `Delegate=yes`; it can go only when nothing is left in it. */
const unit = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = `${root}/tenement.service`
    fs.mkdirSync(folder)
    return folder
  }),
  (folder) => Effect.sync(() => fs.rmdirSync(folder))
)

/** Words that begin a program within a cgroup. */
const within = (folder: string) => ["sh", "-c", `echo 0 >"$0/cgroup.procs"; exec "$@"`, folder]

const limits = { memory_limit_mb: 64, cpu_shares: 200, cpu_limit: 0.5, pids_limit: 32 }

const written = {
  "memory.max": String(64 * 1024 * 1024),
  "memory.swap.max": "0",
  "memory.oom.group": "1",
  "cpu.weight": "200",
  "cpu.max": "50000 100000",
  "pids.max": "32"
}

/** A program whose first instruction is to write down how it is limited. */
const witness = (isolation: string): Fx.Table => {
  const note = `cat /proc/self/cgroup >"$1/cgroup"; exec sleep 1000`
  return { command: ["sh", "-c", note, "sh", "{instance_dir}"], isolation, ...limits }
}

const valuesIn = (folder: string) =>
  Object.fromEntries(Object.keys(written).map((file) => [file, read(`${folder}/${file}`)]))

describe("a delegated cgroup", () => {
  it.scopedLive("is used below the cgroup that the supervisor was given, and handed back as it was", () =>
    Effect.gen(function*() {
      const folder = yield* unit
      const machine = yield* make({
        service: {
          plain: witness("process"),
          enclosed: witness("namespace"),
          eater: Fx.service({ memory_limit_mb: 64, isolation: "namespace", max_restarts: 0 }, "allocate=200")
        }
      }, { via: within(folder) })

      // A cgroup whose children are limited holds no processes itself.
      assert.match(cgroupOf(machine.supervisor.pid), new RegExp(`^${folder}/[^/]+/[^/]+$`))
      assert.strictEqual(read(`${folder}/cgroup.procs`), "")

      for (const name of ["plain", "enclosed"]) {
        const { pid } = yield* machine.until(name, "running")
        const cgroup = cgroupOf(pid!)
        assert.isTrue(cgroup.startsWith(`${folder}/`), cgroup)
        assert.deepStrictEqual(valuesIn(cgroup), written, name)
        const note = `${machine.dataDir}/${name}/default/cgroup`
        const seen = yield* eventually(
          "its first instruction is done",
          Effect.sync(() => fs.existsSync(note) ? read(note) : ""),
          (text) => text !== ""
        )
        // In a namespace of its own, its cgroup is the root.
        assert.strictEqual(seen, name === "plain" ? cgroup.replace(root, "0::") : "0::/")
      }

      const eater = yield* machine.until("eater", "failed")
      assert.deepInclude({ ...eater.lastExit }, { reason: "oom-killed", signal: "SIGKILL" })

      const { pid } = yield* machine.view("plain")
      const cgroup = cgroupOf(pid!)
      yield* machine.stop("plain")
      assert.isFalse(fs.existsSync(cgroup))
      yield* machine.terminate
      assert.isFalse(Proc.isAlive(machine.supervisor.pid))
      assert.deepStrictEqual(inside(folder), [])
      assert.strictEqual(read(`${folder}/cgroup.subtree_control`), "")
    }))
})
