import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Cgroup from "./Cgroup.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { arm } from "./KillPoints.ts"
import { type InstanceView, type Machine, make, type Mortal } from "./Machine.ts"
import * as Proc from "./Proc.ts"

/** What of an instance must be the same before and after. */
const lasting = ({ lastExit, name, nextStartAt, pid, restarts, startedAt, state, weight }: InstanceView) => ({
  lastExit,
  name,
  nextStartAt,
  pid,
  restarts,
  startedAt,
  state,
  weight
})

const restartsOf = (machine: Machine) =>
  Effect.map(
    machine.api("/metrics"),
    ({ text }) => text.split("\n").filter((line) => line.startsWith("tenement_instance_restarts_total{")).sort()
  )

/** What identifies the series of instances, without their values. */
const seriesOf = (machine: Machine) =>
  Effect.map(
    machine.api("/metrics"),
    ({ text }) =>
      text.split("\n").filter((line) => line.startsWith("tenement_instance_")).map((line) =>
        line.slice(0, line.lastIndexOf(" "))
      ).sort()
  )

const answers = (view: InstanceView) =>
  Effect.map(Effect.orDie(Http.request(view.socket!, "/")), ({ status }) => status)

/** Prints a number every millisecond, and then stays. */
const counting = (upTo: number): Fx.Table => ({
  command: "perl",
  args: [
    "-e",
    `$| = 1; for (1 .. ${upTo}) { print "$_\\n" or die; select undef, undef, undef, 0.001 } open F, ">$ARGV[0]"; sleep`,
    "{instance_dir}/done"
  ],
  isolation: "process"
})

const kept = (text: string) => text.split("\n").slice(0, -1).map((line) => Number(line.split(" ").at(-1)))

describe("a supervisor that is killed", () => {
  it.scopedLive("touches nothing, and the next one goes on where it was", () =>
    Effect.gen(function*() {
      const web = { socket: "{data_dir}/{name}-{id}.sock", health: "/health", health_interval: "200 millis" }
      const slow = { backoff_base_ms: 60_000, backoff_max_ms: 60_000, backoff_jitter: 0 }
      const many = Array.from({ length: 14 }, (_, index) => `n${index}`)
      const machine = yield* make({
        service: {
          many: Fx.service({ ...web, instances: many }, "serve=200"),
          "many-apart": Fx.service({ ...web, isolation: "namespace", instances: many.slice(0, 8) }, "serve=200"),
          plain: Fx.service({ ...web, ...(Cgroup.canLimit ? { pids_limit: 64 } : {}) }, "serve=200"),
          apart: Fx.service({ ...web, isolation: "namespace" }, "serve=200"),
          sick: Fx.service({ ...web, ...Fx.eager, stable_after: 600 }, "die=KILL", "exit=3", "serve=200"),
          waiting: Fx.service({ ...slow }, "exit=3"),
          failed: Fx.service({ max_restarts: 0 }, "exit=3"),
          stopped: Fx.service({}, ""),
          starting: Fx.service({ ...web, startup_timeout: 600 }, "await=go serve=200"),
          done: Fx.service({}, "exit=0")
        }
      })
      const serving = [
        "plain",
        "apart",
        "sick",
        ...many.map((id) => `many:${id}`),
        ...many.slice(0, 8).map((id) => `many-apart:${id}`)
      ]
      for (const name of serving) yield* machine.until(name, "healthy")
      yield* machine.until("waiting", ({ nextStartAt, state }) => state === "backoff" && nextStartAt !== null)
      yield* machine.until("failed", "failed")
      yield* machine.until("done", "completed")
      yield* machine.untilUp("stopped")
      yield* machine.stop("stopped")
      yield* machine.untilTruth("it is there", "starting", (all) => all.length > 0)
      const before = yield* machine.list
      const counts = yield* restartsOf(machine)
      const series = yield* seriesOf(machine)
      const identities = before.flatMap(({ pid }) => pid === null ? [] : [Proc.identity(pid)])

      const next = yield* machine.kill(Effect.gen(function*() {
        for (let round = 0; round < 10; round++) {
          for (const view of before.filter(({ state }) => state === "healthy")) {
            assert.strictEqual(yield* answers(view), 200, `${view.name} serves without a supervisor`)
          }
          yield* Effect.sleep("300 millis")
        }
      }))
      for (const name of serving) yield* next.until(name, "healthy")
      assert.deepStrictEqual((yield* next.list).map(lasting), before.map(lasting))
      assert.deepStrictEqual(
        before.flatMap(({ pid }) => pid === null ? [] : [Proc.identity(pid)]),
        identities,
        "they are the same processes"
      )
      assert.deepStrictEqual(yield* restartsOf(next), counts)
      assert.deepStrictEqual(yield* seriesOf(next), series)
      assert.include(JSON.stringify((yield* next.describe("sick")).history), "BackoffElapsed", "what led here is told")
      if (Cgroup.canLimit) {
        const { pid } = yield* next.view("plain")
        assert.strictEqual(Cgroup.valueOf(pid!, "pids", { v1: "pids.max", v2: "pids.max" }), "64")
      }

      // What happens from now on is noticed as ever.
      yield* next.touch("go")
      yield* next.until("starting", "healthy")
      for (const name of ["plain", "apart"]) {
        const { pid } = yield* next.view(name)
        process.kill(pid!, "SIGKILL")
        const again = yield* next.until(name, (view) => view.restarts === 1 && view.state === "healthy")
        assert.notStrictEqual(again.pid, pid)
      }
      assert.strictEqual((yield* next.view("apart")).lastExit?.signal, "SIGKILL", "inside a namespace somebody saw it")
      assert.deepInclude((yield* next.view("plain")).lastExit, { code: null, signal: null, reason: "unknown" })
      assert.deepInclude(yield* next.stop("sick"), { changed: true, forced: false })
      const starts = yield* next.starts("sick")
      assert.strictEqual(starts.length, 3)
    }), 300_000)

  it.scopedLive(
    "what ended meanwhile is handled by its policy, and never taken for a success",
    () =>
      Effect.gen(function*() {
        const quick = { ...Fx.eager, stop_timeout: 1 }
        const machine = yield* make({
          service: {
            zero: Fx.service(quick, "await=end exit=0", "sleep=600"),
            one: Fx.service(quick, "await=end exit=1", "sleep=600"),
            killed: Fx.service(quick, "sleep=600"),
            always: Fx.service({ ...quick, restart: "always" }, "await=end exit=0", "sleep=600"),
            never: Fx.service({ ...quick, restart: "never" }, "await=end exit=0"),
            seen: Fx.service({ ...quick, isolation: "namespace" }, "await=end exit=0"),
            family: Fx.service(quick, "child daemon await=end exit=1", "sleep=600")
          }
        })
        const names = ["zero", "one", "killed", "always", "never", "seen", "family"]
        yield* machine.untilTruth("all run", "family", (all) => all.some(({ event }) => event === "daemon"))
        for (const name of names) yield* machine.until(name, "running")
        const before = new Map((yield* machine.list).map((view) => [view.service, view.pid!]))
        const next = yield* machine.kill(Effect.gen(function*() {
          process.kill(before.get("killed")!, "SIGKILL")
          yield* machine.touch("end")
          for (const [name, pid] of before) {
            yield* eventually(`${name} has ended`, Effect.sync(() => Proc.isAlive(pid)), (alive) => !alive)
          }
        }))
        for (const name of ["zero", "one", "killed", "always", "family"]) {
          const view = yield* next.until(name, (view) => view.restarts === 1 && view.state === "running")
          assert.deepInclude(view.lastExit, { code: null, signal: null, reason: "unknown" })
          assert.strictEqual((yield* next.starts(name)).length, 2)
        }
        assert.strictEqual((yield* next.until("never", "failed")).lastExit?.reason, "unknown")
        assert.strictEqual((yield* next.until("seen", "completed")).lastExit?.code, 0, "somebody saw it")
      }),
    60_000
  )

  it.scopedLive("loses no line of what was printed, and tells none twice", () =>
    Effect.gen(function*() {
      const lines = 8000
      let machine: Mortal = yield* make({ service: { count: counting(lines) } })
      const { pid } = yield* machine.until("count", "running")
      const read = (on: Machine) => Effect.map(on.cli("logs", "count", "--raw"), ({ stdout }) => kept(stdout))
      yield* eventually("it prints", read(machine), (all) => all.length > 100)
      // Right behind the read of a line, and right behind its way to the log.
      for (const [call, count] of [["read", 1], ["read", 3], ["write,writev", 1], ["write,writev", 2]] as const) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { pid } = machine.supervisor
          yield* arm(pid, call, count)
          yield* eventually("it is killed", Effect.sync(() => Proc.isAlive(pid)), (alive) => !alive)
        }))
        machine = yield* machine.followedBy()
      }
      assert.strictEqual((yield* machine.view("count")).pid, pid)
      const done = `${machine.dataDir}/count/default/done`
      yield* eventually("it is through", Effect.sync(() => fs.existsSync(done)), Boolean)
      assert.deepStrictEqual(yield* read(machine), Array.from({ length: lines }, (_, index) => index + 1))
    }), 60_000)

  it.scopedLive(
    "and what got ready meanwhile is ready, also when its time to do so is over",
    () =>
      Effect.gen(function*() {
        const brief = { startup_timeout: 6, readiness: "notify" }
        const machine = yield* make({
          service: {
            asked: Fx.service(
              { socket: "{data_dir}/{name}-{id}.sock", health: "/health", startup_timeout: 6 },
              "await=go serve=200"
            ),
            says: Fx.service(brief, "await=go notify"),
            "says-apart": Fx.service({ ...brief, isolation: "namespace" }, "await=go notify"),
            "says-late": Fx.service({ ...brief, startup_timeout: 60, isolation: "namespace" }, "await=later notify")
          }
        })
        const names = ["asked", "says", "says-apart", "says-late"]
        for (const name of names) yield* machine.untilTruth("it is there", name, (all) => all.length > 0)
        for (const name of names) yield* machine.until(name, ({ pid }) => pid !== null)
        const before = yield* machine.list
        const next = yield* machine.kill(Effect.zipRight(machine.touch("go"), Effect.sleep("7 seconds")))
        for (const name of ["asked", "says", "says-apart"]) {
          const { pid } = yield* next.until(name, ({ state }) => state === "healthy" || state === "running")
          assert.strictEqual(pid, before.find(({ service }) => service === name)!.pid, name)
        }
        yield* next.touch("later")
        const late = yield* next.until("says-late", "running")
        assert.strictEqual(late.pid, before.find(({ service }) => service === "says-late")!.pid)
      }),
    60_000
  )

  it.scopedLive(
    "and what was said to it that it did not come to hear is heard by the next one",
    () =>
      Effect.gen(function*() {
        const names = Array.from({ length: 8 }, (_, index) => `says-${index}`)
        const service = Fx.service({ readiness: "notify" }, "await=go notify")
        const machine = yield* make({ service: Object.fromEntries(names.map((name) => [name, service])) })
        for (const name of names) yield* machine.untilTruth("it is there", name, (all) => all.length > 0)
        for (const name of names) yield* machine.until(name, ({ pid }) => pid !== null)
        const before = yield* machine.list
        yield* machine.supervisor.signal("SIGSTOP")
        yield* machine.touch("go")
        for (const name of names) {
          yield* machine.untilTruth("it has said so", name, (all) => all.some(({ event }) => event === "notified"))
        }
        const next = yield* machine.kill()
        for (const { pid, service } of before) assert.strictEqual((yield* next.until(service, "running")).pid, pid)
      }),
    60_000
  )

  it.scopedLive(
    "in the middle of a stop leaves it to the next one, which keeps to its deadline",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service: { deaf: Fx.service({ stop_timeout: 4 }, "ignore=TERM") } })
        yield* machine.untilUp("deaf")
        const { pid } = yield* machine.view("deaf")
        const asked = Fx.now()
        yield* Effect.forkScoped(
          Effect.either(Http.request(machine.socket, "/api/instances/deaf:default/stop", { method: "POST" }))
        )
        yield* machine.until("deaf", "stopping")
        const next = yield* machine.kill()
        const up = Fx.now()
        yield* next.until("deaf", "stopped")
        assert.isAtLeast(Fx.now() - asked, 3995)
        assert.isBelow(Fx.now() - up, 4000, "it does not begin anew")
        assert.isFalse(Proc.isAlive(pid!))
      }),
    60_000
  )

  it.scopedLive("keeps what was answered: stopped, spawned and removed stay so", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ instances: ["a", "b", "c"] }, "") }
      })
      yield* machine.untilUp("web:a", "web:b", "web:c")
      yield* machine.stop("web:a")
      assert.strictEqual((yield* machine.api("/api/instances/web:b", { method: "DELETE" })).status, 204)
      assert.strictEqual(
        (yield* machine.api("/api/instances", { method: "POST", body: { service: "web", id: "d" } })).status,
        200
      )
      const next = yield* machine.kill()
      const states = Effect.map(next.list, (all) => all.map(({ name, state }) => `${name} ${state}`))
      yield* next.untilUp("web:d")
      assert.deepStrictEqual(yield* states, ["web:a stopped", "web:c running", "web:d running"])
      // Not an end of the supervisor by its own will either.
      yield* next.terminate
      const last = yield* next.kill()
      // The truth of before says that they are up.
      for (const name of ["web:c", "web:d"]) yield* last.until(name, "running")
      assert.deepStrictEqual(
        (yield* last.list).map(({ name, state }) => `${name} ${state}`),
        ["web:a stopped", "web:c running", "web:d running"]
      )
    }), 60_000)

  it.scopedLive(
    "and a file that was changed meanwhile: what differs follows it, and nothing else",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: {
            same: Fx.service({}, ""),
            changed: Fx.service({ env: { A: "1" } }, ""),
            gone: Fx.service({ isolation: "namespace" }, "obey=TERM")
          }
        })
        yield* machine.untilUp("same", "changed", "gone")
        const before = yield* machine.list
        const next = yield* machine.kill(machine.write({
          service: {
            same: Fx.service({}, ""),
            changed: Fx.service({ env: { A: "2" } }, ""),
            added: Fx.service({}, "")
          }
        }))
        yield* next.untilUp("added")
        const changed = yield* next.until(
          "changed",
          ({ pid, state }) => state === "running" && pid !== before.find(({ service }) => service === "changed")!.pid
        )
        assert.strictEqual(Proc.environment(changed.pid!)["A"], "2")
        assert.strictEqual((yield* next.view("same")).pid, before.find(({ service }) => service === "same")!.pid)
        yield* next.untilTruth("it was asked to end", "gone", (all) => all.some(({ event }) => event === "exit"))
        assert.deepStrictEqual((yield* next.list).map(({ service }) => service), ["added", "changed", "same"])
      }),
    60_000
  )
})
