import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const isRoot = process.getuid?.() === 0
const needsRoot = it.scopedLive.skipIf(!isRoot)

const family = (entries: ReadonlyArray<Fx.Entry>, incarnation: number) =>
  entries.filter((entry) => entry.incarnation === incarnation && ["start", "child", "daemon"].includes(entry.event))
    .map(({ pid }) => pid)

const starts = (entries: ReadonlyArray<Fx.Entry>) => entries.filter(({ event }) => event === "start")

describe("what a service forks", () => {
  it.scopedLive("is gone before stop answers", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ stop_timeout: "500 millis" }, "obey=TERM child daemon churn=1000") }
      })
      yield* machine.untilUp("web")
      const entries = yield* machine.untilTruth("a family", "web", (entries) => family(entries, 1).length === 3)
      yield* machine.stop("web")
      assert.deepStrictEqual(family(entries, 1).filter(Proc.isAlive), [])
    }))

  it.scopedLive("is gone before the next run begins, when the main process crashes or is killed", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service(Fx.eager, "child daemon sleep=0.1 exit=1", "child daemon", "") }
      })
      const second = yield* machine.untilTruth("a second family", "web", (entries) => family(entries, 2).length === 3)
      assert.deepStrictEqual(family(second, 1).filter(Proc.isAlive), [])
      process.kill(family(second, 2)[0]!, "SIGKILL")
      const third = yield* machine.untilTruth("a third run", "web", (entries) => starts(entries).length === 3)
      assert.deepStrictEqual(family(third, 2).filter(Proc.isAlive), [])
      // That there was no overlap for a moment is what the fixture's lock says, and the sweep reads.
    }))

  it.scopedLive("a hundred crashes leave no zombie and no descriptor", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 10 }, (_, index) => `n${index}`)
      const machine = yield* make({
        service: { web: Fx.service({ ...Fx.eager, instances: ids }, ...Array.from({ length: 10 }, () => "exit=1"), "") }
      })
      for (const id of ids) {
        yield* machine.untilTruth(`11 runs of ${id}`, `web:${id}`, (entries) => starts(entries).length === 11)
        yield* machine.until(`web:${id}`, "running")
      }
      yield* eventually(
        "no zombie",
        Effect.sync(() => Proc.zombiesOf(machine.supervisor.pid)),
        (found) => found.length === 0
      )
    }))
})

describe("what a service is given", () => {
  it.scopedLive("three descriptors and nothing of the supervisor's own", () =>
    Effect.gen(function*() {
      const machine = yield* make(
        { service: { web: Fx.service({}, "child"), other: Fx.service({}, "") } },
        { extraDescriptors: 2, via: ["bash", "-c", "exec 9</etc/passwd 10</etc; exec \"$@\"", "bash"] }
      )
      yield* machine.untilUp("web", "other")
      const inherited = [...Proc.descriptors(machine.supervisor.pid).values()]
      assert.include(inherited, "/etc/passwd", "the supervisor has what must not be passed on")
      const child = yield* machine.untilTruth("a child", "web", (entries) =>
        entries.some(({ event }) =>
          event === "child"
        ))
      for (const { pid } of child.filter(({ event }) => event === "start" || event === "child")) {
        const found = new Map([...Proc.descriptors(pid)].filter(([, to]) => !to.startsWith(`${machine.root}/truth/`)))
        assert.deepStrictEqual([...found.keys()].sort(), [0, 1, 2])
        assert.strictEqual(found.get(0), "/dev/null")
        for (const stream of [1, 2]) assert.notInclude(found.get(stream), "other")
      }
    }))

  it.scopedLive("an environment of what the file says and a few names that are promised, umask 022, its own session", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service({ port: "auto", readiness: "started", env: { GREETING: "{name}/{id} {{you}}" } }, "")
        }
      }, {
        via: ["sh", "-c", "umask 077; exec \"$@\"", "sh"],
        env: { LEAK: "of the supervisor's own", LD_PRELOAD_X: "x", NODE_OPTIONS: "--no-deprecation" }
      })
      const { pid, port, socket } = yield* machine.until("web", "running")
      yield* machine.untilUp("web")
      const environment = Proc.environment(pid!)
      const promised = ["PATH", "HOME", "USER", "LANG", "TZ", "SOCKET_PATH", "PORT", "SERVICE_NAME", "INSTANCE_ID"]
      assert.deepStrictEqual(
        Object.keys(environment).filter((name) => ![...promised, "INSTANCE_DIR", "GREETING"].includes(name)),
        []
      )
      assert.containsAllKeys(environment, ["PATH", "HOME", "USER", "LANG"])
      assert.deepInclude(environment, {
        SERVICE_NAME: "web",
        INSTANCE_ID: "default",
        INSTANCE_DIR: `${machine.dataDir}/web/default`,
        PORT: String(port),
        GREETING: "web/default {you}"
      })
      assert.notStrictEqual(environment["SOCKET_PATH"], socket, "a path of its own behind the public one")
      assert.isTrue(fs.statSync(environment["INSTANCE_DIR"]!).isDirectory())
      assert.deepInclude({ ...Proc.stat(pid!) }, { session: pid!, group: pid! })
      assert.strictEqual(Proc.status(pid!, "Umask"), "0022")
      assert.strictEqual(fs.readlinkSync(`/proc/${pid}/cwd`), machine.root)
    }))

  needsRoot("the user, group and supplementary groups of `user` (needs root)", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service({ user: "nobody", readiness: "socket" }, "serve=200"),
          nobody: Fx.service({ user: "no-such-user", max_restarts: 0 }, "")
        }
      })
      const { pid, socket } = yield* machine.until("web", "running")
      assert.strictEqual(Proc.status(pid!, "Uid"), "65534\t65534\t65534\t65534")
      assert.strictEqual(Proc.status(pid!, "Gid"), "65534\t65534\t65534\t65534")
      assert.notInclude((Proc.status(pid!, "Groups") ?? "").split(" "), "0")
      assert.strictEqual(Proc.environment(pid!)["USER"], "nobody")
      assert.strictEqual(fs.statSync(Proc.environment(pid!)["INSTANCE_DIR"]!).uid, 65534)
      assert.isTrue(fs.statSync(socket!).isSocket())
      const view = yield* machine.until("nobody", "failed")
      assert.strictEqual(view.lastExit?.reason, "launch-failed")
    }))
})

describe("rm", () => {
  it.scopedLive("keeps the folder of an instance, and with --data takes it away too", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({ instances: ["a", "b"] }, "") } })
      for (const id of ["a", "b"]) {
        yield* machine.until(`web:${id}`, "running")
        fs.writeFileSync(`${machine.dataDir}/web/${id}/data`, "precious")
      }
      assert.strictEqual((yield* machine.cli("rm", "web:a")).code, 0)
      assert.strictEqual((yield* machine.cli("rm", "web:b", "--data")).code, 0)
      assert.isTrue(fs.existsSync(`${machine.dataDir}/web/a/data`))
      assert.isFalse(fs.existsSync(`${machine.dataDir}/web/b`))
      assert.deepStrictEqual(yield* machine.list, [])
    }))
})
