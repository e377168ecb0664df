import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type Limits, unlimited } from "../../src/domain/Config.ts"
import { InstanceName } from "../../src/domain/Names.ts"
import type { Cgroup } from "../../src/layers/Cgroups.ts"
import * as Cgroups from "../../src/layers/Cgroups.ts"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as Usage from "../../src/layers/Usage.ts"
import * as CgroupHarness from "./CgroupHarness.ts"
import { eventually, folder, linesOf, printing, sharing, silent } from "./Harness.ts"

const megabyte = 1024 * 1024
const name = InstanceName.make("api:one")
const place = { instance: name, beside: null }

const isLive = (pid: number): boolean => {
  const found = Procfs.stat(pid)
  return found !== undefined && Procfs.isLive(found)
}

/** Every folder of the run's cgroup. */
const foldersOf = ({ procs }: Cgroup) => procs.map((path) => Path.dirname(path))

const valuesOf = (cgroup: Cgroup, files: ReadonlyArray<string>) =>
  Object.fromEntries(
    files.flatMap((file) =>
      foldersOf(cgroup).flatMap((path) =>
        Fs.existsSync(`${path}/${file}`) ? [[file, Fs.readFileSync(`${path}/${file}`, "utf8").trim()]] : []
      )
    )
  )

const made = (limits: Limits = unlimited) =>
  Effect.gen(function*() {
    const { make } = yield* Cgroups.Cgroups
    const cgroup = yield* make(place, limits)
    assert.isNotNull(cgroup)
    return cgroup
  })

describe(`Cgroups${CgroupHarness.skipped}`, () => {
  if (CgroupHarness.skipped === "") assert.isNotEmpty(CgroupHarness.modes, "no cgroup tree can be written here")

  for (const mode of CgroupHarness.modes) {
    const options = CgroupHarness.options()
    const cgroups = CgroupHarness.layerOf(mode, options)
    sharing(
      mode,
      Layer.provideMerge(Usage.layer, Layer.merge(cgroups, Launcher.layer)),
      (scoped) => {
        scoped(
          "a run is inside before its first instruction, and only what it forks is with it",
          () =>
            Effect.gen(function*() {
              const { launch } = yield* Launcher.Launcher
              const out = Path.join(yield* folder, "out")
              const cgroup = yield* made()
              assert.isFalse(yield* cgroup.isPopulated)
              const process = yield* launch(
                yield* printing(out, ["perl", "-pe", "", "/proc/self/cgroup"], { cgroup })
              )
              assert.deepStrictEqual(yield* process.exited, { code: 0, signal: null })
              const own = (yield* linesOf(out, 1)).filter((line) => line.endsWith("/api@one"))
              assert.lengthOf(own, cgroup.procs.length)
              assert.isFalse(yield* cgroup.isPopulated)
            })
        )

        scoped("nothing leaves it: sessions, daemons, what is forked all the time", () =>
          Effect.gen(function*() {
            const { launch } = yield* Launcher.Launcher
            const out = Path.join(yield* folder, "out")
            const cgroup = yield* made()
            const process = yield* launch(
              yield* printing(out, [
                "perl",
                "-e",
                `
                  use POSIX "setsid"; $| = 1; $SIG{$_} = "IGNORE" for qw(TERM HUP);
                  sub stay { print "$$\\n"; sleep 600; exit }
                  fork or stay;
                  fork or do { setsid; stay };
                  fork or do { setsid; fork and exit; setsid; stay };
                  # Somebody is always just being forked.
                  fork or do { while (1) { fork and exit } };
                  wait; stay;
                `
              ], { cgroup })
            )
            const pids = (yield* linesOf(out, 3)).map(Number)
            assert.isTrue(yield* process.hasStragglers)
            yield* process.killTree
            assert.deepStrictEqual(pids.filter(isLive), [])
            assert.isFalse(yield* cgroup.isPopulated)
            assert.isFalse(yield* process.hasStragglers)
          }))

        scoped(
          "a leader's end leaves what it put into the background, and that is seen and killed",
          () =>
            Effect.gen(function*() {
              const { launch } = yield* Launcher.Launcher
              const out = Path.join(yield* folder, "out")
              const cgroup = yield* made()
              const process = yield* launch(
                yield* printing(out, ["sh", "-c", "setsid sleep 600 & echo $!"], { cgroup })
              )
              yield* process.exited
              const [pid] = (yield* linesOf(out, 1)).map(Number)
              assert.isTrue(yield* process.hasStragglers)
              assert.deepInclude((yield* process.survivors)[0], { pid: pid!, isPermitted: true })
              yield* process.killTree
              assert.isFalse(isLive(pid!))
            })
        )

        scoped(
          "it goes with its run, and with it what was made in it; what is next to it stays",
          () =>
            Effect.gen(function*() {
              const scope = yield* Scope.make()
              const cgroup = yield* Scope.extend(made(), scope)
              const beside = foldersOf(cgroup).map((path) => `${Path.dirname(path)}/somebody.else`)
              for (const path of beside) Fs.mkdirSync(path)
              for (const path of foldersOf(cgroup)) {
                Fs.mkdirSync(`${path}/tenant`)
                Fs.mkdirSync(`${path}/tenant/within`)
              }
              yield* Scope.close(scope, Exit.void)
              assert.deepStrictEqual(foldersOf(cgroup).filter((path) => Fs.existsSync(path)), [])
              assert.deepStrictEqual(beside.filter((path) => !Fs.existsSync(path)), [])
              for (const path of beside) Fs.rmdirSync(path)
            })
        )

        scoped("what an earlier supervisor left in it is killed, and not joined", () =>
          Effect.gen(function*() {
            const { launch } = yield* Launcher.Launcher
            const { make } = yield* Cgroups.Cgroups
            const first = yield* made()
            const left = yield* launch(yield* silent(["sleep", "600"], { cgroup: first }))
            // Frozen besides: it could not even die.
            for (const path of foldersOf(first)) {
              if (Fs.existsSync(`${path}/freezer.state`)) Fs.writeFileSync(`${path}/freezer.state`, "FROZEN")
              if (Fs.existsSync(`${path}/cgroup.freeze`)) Fs.writeFileSync(`${path}/cgroup.freeze`, "1")
            }
            const second = yield* make(place, unlimited)
            assert.isFalse(isLive(left.pid))
            assert.isFalse(yield* second!.isPopulated)
            const next = yield* launch(yield* silent(["sleep", "600"], { cgroup: second! }))
            assert.deepStrictEqual(yield* second!.members, [next.pid])
          }))

        scoped("a cgroup that cannot be joined is told with its path, and nothing runs", () =>
          Effect.gen(function*() {
            const { launch } = yield* Launcher.Launcher
            const out = Path.join(yield* folder, "out")
            const cgroup = yield* made()
            const [first] = cgroup.procs
            const gone = { ...cgroup, procs: [...cgroup.procs, `${Path.dirname(first!)}/gone/cgroup.procs`] }
            const error = yield* Effect.flip(launch(yield* printing(out, ["echo", "ran"], { cgroup: gone })))
            assert.strictEqual(error.code, "ENOENT")
            assert.include(error.message, "/gone/cgroup.procs")
            assert.strictEqual(Fs.readFileSync(out, "utf8"), "")
          }))

        scoped("tells what is used", () =>
          Effect.gen(function*() {
            const { launch } = yield* Launcher.Launcher
            const { sample } = yield* Usage.Usage
            const out = Path.join(yield* folder, "out")
            const cgroup = yield* made()
            // A daemon's memory counts too.
            const busy = `$x = "x" x ${40 * megabyte}; 1 while (times)[0] < 0.3; print "held\\n"; sleep 600`
            const process = yield* launch(
              yield* printing(out, ["perl", "-e", `use POSIX "setsid"; $| = 1; fork or do { setsid; ${busy} }; wait`], {
                cgroup
              })
            )
            yield* linesOf(out, 1)
            const used = (yield* sample(new Map([[name, process.pid]]))).get(name)!
            assert.isAtLeast(used.memoryBytes, 40 * megabyte)
            assert.isAtMost(used.memoryBytes, 200 * megabyte)
            assert.isAtLeast(used.cpuSeconds, 0.29)
            assert.isAtMost(used.cpuSeconds, 5)
          }))

        if (!CgroupHarness.canLimit(mode)) {
          scoped("says which limits cannot be had, and refuses them", () =>
            Effect.gen(function*() {
              const { facts: { missing }, make } = yield* Cgroups.Cgroups
              const error = yield* Effect.flip(
                Effect.scoped(make(place, { ...unlimited, memoryLimitBytes: 64 * megabyte }))
              )
              assert.strictEqual(error.key, "memory_limit_mb")
              assert.include(missing.get("memory")?.what, error.path)
              assert.match(
                error.message,
                /api:one: its memory_limit_mb cannot be applied: \/sys\/fs\/cgroup\S* \(E[A-Z]+\)/
              )
            }))
        } else {
          scoped("limits are in its files, can be changed, and taken away", () =>
            Effect.gen(function*() {
              const limits: Limits = { memoryLimitBytes: 64 * megabyte, cpuShares: 200, cpuLimit: 0.5, pidsLimit: 8 }
              const cgroup = yield* made(limits)
              const files = ["memory.limit_in_bytes", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "pids.max"]
              const written = {
                "memory.limit_in_bytes": String(64 * megabyte),
                "cpu.shares": "2048",
                "cpu.cfs_quota_us": "50000",
                "cpu.cfs_period_us": "100000",
                "pids.max": "8"
              }
              assert.deepStrictEqual(valuesOf(cgroup, files), written)
              const swap = valuesOf(cgroup, ["memory.memsw.limit_in_bytes"])
              for (const value of Object.values(swap)) assert.strictEqual(value, String(64 * megabyte))
              yield* cgroup.limit({ ...limits, memoryLimitBytes: 128 * megabyte, pidsLimit: 9 })
              assert.deepStrictEqual(valuesOf(cgroup, files), {
                ...written,
                "memory.limit_in_bytes": String(128 * megabyte),
                "pids.max": "9"
              })
              yield* cgroup.limit(unlimited)
              assert.deepInclude(valuesOf(cgroup, files), {
                "cpu.shares": "1024",
                "cpu.cfs_quota_us": "-1",
                "pids.max": "max"
              })
            }))

          scoped("a fork bomb stays within pids_limit, and dies whole", () =>
            Effect.gen(function*() {
              const { launch } = yield* Launcher.Launcher
              const cgroup = yield* made({ ...unlimited, pidsLimit: 64 })
              const process = yield* launch(yield* silent(["perl", "-e", "while (1) { fork }"], { cgroup }))
              const [most] = yield* eventually(() => {
                const current = valuesOf(cgroup, ["pids.current"])["pids.current"]
                return Number(current) >= 60 && [Number(current)]
              })
              assert.isAtMost(most!, 64)
              yield* process.killTree
              assert.deepStrictEqual(yield* cgroup.members, [])
            }))

          scoped("counts what is killed for memory, and not what somebody else kills", () =>
            Effect.gen(function*() {
              const { launch } = yield* Launcher.Launcher
              const cgroup = yield* made({ ...unlimited, memoryLimitBytes: 32 * megabyte })
              const other = yield* launch(yield* silent(["sleep", "600"], { cgroup }))
              yield* other.signal("SIGKILL")
              yield* other.exited
              assert.strictEqual(yield* cgroup.oomKills, 0)
              const eater = yield* launch(
                yield* silent(["perl", "-e", `$x = "x" x ${100 * megabyte}; sleep 600`], { cgroup })
              )
              assert.deepStrictEqual(yield* eater.exited, { code: null, signal: "SIGKILL" })
              assert.strictEqual(yield* cgroup.oomKills, 1)
            }))
        }
      }
    )
  }
})
