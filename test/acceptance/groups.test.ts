import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Machine from "./Machine.ts"
import * as Proc from "./Proc.ts"

/** Ready when it listens: so a start is noted before the next one's, however busy the machine is. */
const member: Fx.Table = {
  restart: "always",
  readiness: "socket",
  backoff_base_ms: 50,
  backoff_max_ms: 50,
  backoff_jitter: 0
}

/** `a start`, `b exit`, …: starts and signals in the order in which they happened. */
const order = (machine: Machine.Machine, since: number) =>
  Effect.map(
    machine.truth(),
    (entries) =>
      entries.filter(({ at, event }) => at > since && (event === "start" || event === "signal"))
        .map(({ event, instance }) => `${instance.split(":")[0]} ${event}`)
  )

const ready = (machine: Machine.Machine, ...names: ReadonlyArray<string>) =>
  Effect.zipRight(
    Effect.forEach(names, (name) => machine.until(name, "running"), { discard: true }),
    machine.untilUp(...names)
  )

const fail = (machine: Machine.Machine, name: string) =>
  Effect.gen(function*() {
    const { pid } = yield* machine.view(name)
    const since = Fx.now()
    process.kill(pid!, "SIGKILL")
    return since
  })

describe("groups", () => {
  it.scopedLive("one-for-all stops all in reverse order and starts them in order, but what never restarts", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          a: Fx.service(member, "obey=TERM serve=200"),
          b: Fx.service(member, "obey=TERM serve=200"),
          c: Fx.service(member, "obey=TERM serve=200"),
          t: Fx.service({ ...member, restart: "never" }, "obey=TERM serve=200"),
          apart: Fx.service(member, "obey=TERM serve=200")
        },
        group: {
          shop: { services: ["a", "b", "c", "t"], strategy: "one-for-all", max_restarts: 5, restart_window: 60 }
        }
      })
      yield* ready(machine, "a", "b", "c", "t", "apart")
      const since = yield* fail(machine, "b")
      yield* machine.untilTruth(
        "c is back",
        "c",
        (entries) => entries.filter(({ event }) => event === "start").length === 2
      )
      yield* ready(machine, "a", "b", "c")
      assert.deepStrictEqual(yield* order(machine, since), [
        "t signal",
        "c signal",
        "a signal",
        "a start",
        "b start",
        "c start"
      ])
      assert.strictEqual((yield* machine.view("t")).state, "stopped")
      assert.strictEqual((yield* machine.starts("apart")).length, 1)
      const views = yield* machine.list
      assert.strictEqual(views.find(({ name }) => name === "b:default")?.lastExit?.signal, "SIGKILL")
      assert.strictEqual(views.find(({ name }) => name === "a:default")?.lastExit?.reason, "stopped")
    }))

  it.scopedLive("rest-for-one leaves alone what was started before the one that failed", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          a: Fx.service(member, "obey=TERM serve=200"),
          b: Fx.service(member, "obey=TERM serve=200"),
          c: Fx.service(member, "obey=TERM serve=200")
        },
        group: { shop: { services: ["a", "b", "c"], strategy: "rest-for-one", max_restarts: 5, restart_window: 60 } }
      })
      yield* ready(machine, "a", "b", "c")
      const since = yield* fail(machine, "b")
      yield* machine.untilTruth("c is back", "c", (entries) =>
        entries.filter(({ event }) =>
          event === "start"
        ).length === 2)
      yield* ready(machine, "a", "b", "c")
      assert.deepStrictEqual(yield* order(machine, since), ["c signal", "b start", "c start"])
    }))

  it.scopedLive("a round in which a member fails again is begun again, and counts as another", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make({
        service: {
          a: Fx.service(member, "obey=TERM serve=200"),
          // The second run fails to become ready.
          b: Fx.service(member, "serve=200", "exit=1", "serve=200"),
          c: Fx.service({ ...member, depends_on: ["b"] }, "obey=TERM serve=200")
        },
        group: { shop: { services: ["a", "b", "c"], strategy: "one-for-all", max_restarts: 2, restart_window: 60 } }
      })
      yield* ready(machine, "a", "b", "c")
      const since = yield* fail(machine, "b")
      yield* machine.untilTruth(
        "a third b",
        "b",
        (entries) => entries.filter(({ event }) => event === "start").length === 3
      )
      yield* ready(machine, "a", "b", "c")
      assert.deepStrictEqual(yield* order(machine, since), [
        "c signal",
        "a signal",
        "a start",
        "b start",
        "a signal",
        "a start",
        "b start",
        "c start"
      ])
      // Both rounds of the intensity are used up: one more is too many, for all of them.
      yield* fail(machine, "b")
      const views = yield* eventually(
        "the group is given up",
        machine.list,
        (views) => views.every(({ state }) => state === "failed")
      )
      assert.deepStrictEqual(views.map(({ pid }) => pid), [null, null, null])
      assert.deepInclude((yield* machine.describe("a")).history.at(-1)?.cause, { _tag: "GroupGaveUp", group: "shop" })
    }))

  it.scopedLive("whoever is killed whenever: starts stay in order, and all are up in the end", () =>
    Effect.gen(function*() {
      const names = ["a", "b", "c"]
      const machine = yield* Machine.make({
        service: Object.fromEntries(
          names.map((
            name
          ) => [name, Fx.service({ ...member, backoff_base_ms: 10, backoff_max_ms: 10 }, "obey=TERM serve=200")])
        ),
        group: { shop: { services: names, strategy: "one-for-all", max_restarts: "unlimited" } }
      })
      yield* ready(machine, ...names)
      const random = Random.make("whoever, whenever")
      for (let count = 0; count < 40; count++) {
        const victim = (yield* machine.list)[yield* random.nextIntBetween(0, 3)]!
        if (victim.state === "running" && Proc.isAlive(victim.pid!)) process.kill(victim.pid!, "SIGKILL")
        yield* Effect.sleep(yield* random.nextIntBetween(0, 80))
      }
      yield* ready(machine, ...names)
      const starts = (yield* machine.truth()).filter(({ event }) => event === "start")
      const order = starts.map(({ instance }) => instance[0]!).join("")
      assert.match(order, /^(a|ab|abc)+$/)
      assert.strictEqual(order.slice(-3), "abc")
    }))
})
