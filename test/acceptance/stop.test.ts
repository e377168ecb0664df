import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fx from "./Fx.ts"
import type * as Machine from "./Machine.ts"
import { make, type Outcome } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const grace = 500

const signals = (machine: Machine.Machine, name: string) =>
  Effect.map(
    machine.truth(name),
    (entries) => entries.filter(({ event }) => event === "signal").map(({ detail }) => detail)
  )

/** A shell that starts the service and waits for it: it dies of the stop signal, which the service never sees. */
const behindShell = (keys: Fx.Table, turn: string): Fx.Table => {
  const { args } = Fx.service({}, turn)
  return Fx.service({
    ...keys,
    command: "sh",
    args: ["-c", `perl "$@" & wait`, "sh", ...args as ReadonlyArray<string>]
  })
}

describe("stop", () => {
  it.scopedLive("sends the stop signal once, waits for the whole tree, and kills only after stop_timeout", () =>
    Effect.gen(function*() {
      const keys = { stop_timeout: `${grace} millis` }
      const machine = yield* make({
        service: {
          obedient: Fx.service(keys, "obey=TERM"),
          deaf: Fx.service(keys, "ignore=TERM"),
          other: Fx.service({ ...keys, stop_signal: "SIGINT" }, "trap=TERM obey=INT"),
          // Asleep for good unless it gets SIGCONT too.
          halted: Fx.service({ stop_timeout: 20 }, "obey=TERM"),
          // The main process obeys, what it forked does not.
          parent: Fx.service(keys, "obey=TERM ignore=HUP child daemon")
        }
      })
      yield* machine.untilUp("obedient", "deaf", "other", "halted", "parent")
      const isChild = ({ event }: Fx.Entry) => event === "child" || event === "daemon"
      yield* machine.untilTruth("the family is there", "parent", (entries) => entries.filter(isChild).length === 2)

      assert.deepInclude(yield* machine.stop("obedient"), { changed: true, forced: false })
      assert.deepStrictEqual(yield* signals(machine, "obedient"), ["TERM"])
      assert.deepInclude((yield* machine.view("obedient")).lastExit, { code: 0, signal: null, reason: "stopped" })

      const asked = Fx.now()
      assert.deepInclude(yield* machine.stop("deaf"), { changed: true, forced: true })
      const took = Fx.now() - asked
      assert.isAtLeast(took, grace - 5)
      assert.isBelow(took, grace + 2000)
      assert.deepInclude((yield* machine.view("deaf")).lastExit, { signal: "SIGKILL", reason: "stopped" })

      assert.deepInclude(yield* machine.stop("other"), { forced: false })
      assert.deepStrictEqual(yield* signals(machine, "other"), ["INT"])

      process.kill((yield* machine.view("halted")).pid!, "SIGSTOP")
      assert.deepInclude(yield* machine.stop("halted"), { forced: false })
      assert.deepStrictEqual(yield* signals(machine, "halted"), ["TERM"])

      yield* machine.stop("parent")
      const family = (yield* machine.truth("parent")).map(({ pid }) => pid)
      assert.deepStrictEqual(family.filter(Proc.isAlive), [], "stop answers when all of them are gone")
    }))

  it.scopedLive("gives its time also to what a main process that is gone has left behind", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          polite: behindShell({ stop_timeout: 30 }, "obey=TERM,0.2"),
          deaf: behindShell({ stop_timeout: `${grace} millis` }, "ignore=TERM")
        }
      })
      yield* machine.untilUp("polite", "deaf")
      const outcome = yield* machine.stop("polite")
      assert.deepInclude(outcome, { changed: true, forced: false })
      assert.deepStrictEqual(yield* signals(machine, "polite"), ["TERM"])
      assert.isAbove((yield* machine.truth("polite")).filter(({ event }) => event === "exit").length, 0)
      const asked = Fx.now()
      assert.deepInclude(yield* machine.stop("deaf"), { changed: true, forced: true })
      assert.isAtLeast(Fx.now() - asked, grace - 5)
    }))

  it.scopedLive("of what is stopped is nothing to do, of what does not exist an error, and two at once are one", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ stop_timeout: 20 }, "obey=TERM,0.3"), idle: Fx.service({ instances: [] }, "") }
      })
      yield* machine.untilUp("web")
      const answers = yield* Effect.all([machine.stop("web"), machine.stop("web"), machine.stop("web")], {
        concurrency: "unbounded"
      })
      for (const outcome of answers) assert.strictEqual(outcome.instance.state, "stopped")
      assert.deepStrictEqual(yield* signals(machine, "web"), ["TERM"])
      assert.deepInclude(yield* machine.stop("web"), { changed: false, forced: false })
      for (const name of ["nobody", "idle", "web:other"]) {
        const missing = yield* machine.ask("stop", name)
        assert.strictEqual(missing.status, 404, name)
        assert.propertyVal(missing.json, "_tag", "NoSuchInstance")
      }
    }))

  it.scopedLive("works the same while an instance is starting, and while it waits for what it depends on", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          "never-ready": Fx.service({ readiness: "socket" }, "obey=TERM"),
          "never-ready-deaf": Fx.service({ readiness: "socket", stop_timeout: "300 millis" }, "ignore=TERM"),
          waiting: Fx.service({ depends_on: ["never-ready-too"] }, ""),
          "never-ready-too": Fx.service({ readiness: "socket" }, "")
        }
      })
      yield* machine.untilUp("never-ready", "never-ready-deaf")
      const outcomes: Array<Outcome> = []
      for (const name of ["never-ready", "never-ready-deaf", "waiting"]) {
        assert.strictEqual((yield* machine.view(name)).state, "starting", name)
        outcomes.push(yield* machine.stop(name))
      }
      assert.deepStrictEqual(outcomes.map(({ forced, instance }) => [forced, instance.state]), [
        [false, "stopped"],
        [true, "stopped"],
        [false, "stopped"]
      ])
      assert.deepStrictEqual(yield* machine.truth("waiting"), [], "it never ran")
    }))

  it.scopedLive("a start that is waited for ends with the stop that overtakes it", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ readiness: "socket", instances: [] }, "") }
      })
      const started = yield* Effect.fork(
        machine.api("/api/instances", { method: "POST", body: { service: "web", id: "default" } })
      )
      yield* machine.untilUp("web")
      assert.strictEqual((yield* machine.stop("web")).instance.state, "stopped")
      const answer = yield* started
      assert.strictEqual(answer.status, 409)
      assert.propertyVal(answer.json, "_tag", "NotReady")
    }))
})
