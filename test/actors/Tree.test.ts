import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import { Tenement } from "../../src/actors/Tenement.ts"
import { describeCause } from "../../src/domain/Explain.ts"
import { InstanceId, ServiceName } from "../../src/domain/Names.ts"
import { Events } from "../../src/layers/Events.ts"
import { Machine } from "../../src/testkit/Machine.ts"
import { config, look, named, on, pass, service, settle, stateOf } from "./Machine.ts"

const api = service("api")

describe("an instance", () => {
  it.effect("comes up with the tree and goes down with it", () =>
    Effect.gen(function*() {
      const machine = new Machine()
      yield* Effect.gen(function*() {
        yield* settle
        assert.strictEqual(yield* stateOf("api"), "running")
        assert.strictEqual(machine.living.length, 1)
      }).pipe(Effect.provide(machine.layer(config([api]))))
      assert.strictEqual(machine.living.length, 0)
      assert.deepStrictEqual(machine.children[0]?.signals, ["SIGTERM"])
    }))

  it.effect("is restarted after its delays, and given up when there are too many", () => {
    const machine = new Machine()
    return Effect.gen(function*() {
      yield* settle
      for (const delay of [100, 200, 400]) {
        yield* machine.child("api").exit({ code: 1 })
        yield* pass(delay - 1)
        assert.strictEqual(yield* stateOf("api"), "backoff")
        yield* pass(1)
        assert.strictEqual(yield* stateOf("api"), "running")
      }
      yield* machine.child("api").exit({ code: 1 })
      yield* pass("1 hour")
      const view = yield* look("api")
      assert.strictEqual(view.state, "failed")
      assert.strictEqual(view.restarts, 3)
      assert.strictEqual(machine.children.length, 4)
      const outcome = yield* Effect.flatMap(Tenement, ({ start }) => start(named("api")))
      assert.strictEqual(outcome.instance.state, "running")
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("is restarted when it is unhealthy, and its backoff begins anew after it was stable", () => {
    const machine = new Machine()
    const checked = service("api", { health: "/health", backoffBaseMs: 5000, backoffMaxMs: 5000 })
    return Effect.gen(function*() {
      yield* settle
      machine.of("api").healthy = false
      yield* pass("1 second")
      yield* pass("1 second")
      assert.strictEqual(yield* stateOf("api"), "degraded")
      yield* pass("1 second")
      const view = yield* look("api")
      assert.strictEqual(view.state, "backoff")
      assert.strictEqual(view.lastExit?.reason, "unhealthy")
      machine.of("api").healthy = true
      yield* pass("5 seconds")
      assert.strictEqual(yield* stateOf("api"), "healthy")
      const attempt = Effect.flatMap(
        Tenement,
        ({ describe }) => Effect.map(describe(named("api")), ({ restart }) => restart.attempt)
      )
      assert.strictEqual(yield* attempt, 1)
      yield* pass("10 seconds")
      assert.strictEqual(yield* attempt, 0)
    }).pipe(Effect.provide(machine.layer(config([checked]))))
  })

  it.effect("that does not get ready in time has failed to start", () => {
    const machine = new Machine()
    machine.of("api").getsReady = false
    return Effect.gen(function*() {
      yield* pass("5 seconds")
      const view = yield* look("api")
      assert.strictEqual(view.state, "backoff")
      assert.strictEqual(view.lastExit?.reason, "startup-timeout")
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("that ignores the stop signal is killed, and the stop says so", () => {
    const machine = new Machine()
    machine.of("api").ignoresTerm = true
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      const both = yield* Effect.fork(
        Effect.all([tenement.stop(named("api")), tenement.stop(named("api"))], { concurrency: 2 })
      )
      yield* pass("1999 millis")
      assert.strictEqual(yield* stateOf("api"), "stopping")
      yield* pass("1 millis")
      const [first, second] = yield* Fiber.join(both)
      assert.isTrue(first.forced && second.forced)
      assert.deepStrictEqual(machine.children[0]?.signals, ["SIGTERM", "SIGCONT"])
      assert.strictEqual(yield* stateOf("api"), "stopped")
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("survives a defect of its actor with the same process", () => {
    const machine = new Machine()
    machine.of("api").actorDies = true
    return Effect.gen(function*() {
      yield* settle
      const before = machine.child("api").pid
      yield* pass("4 seconds")
      assert.strictEqual(yield* stateOf("api"), "starting")
      machine.of("api").actorDies = false
      yield* pass("1 seconds")
      const view = yield* look("api")
      assert.strictEqual(view.state, "healthy")
      assert.strictEqual(view.pid, before)
      assert.strictEqual(machine.children.length, 1)
      // The new actor sees the process end as the old one would have.
      yield* machine.child("api").exit({ code: 1 })
      yield* pass("100 millis")
      assert.strictEqual(machine.children.length, 2)
    }).pipe(Effect.provide(machine.layer(config([service("api", { health: "/health" })]))))
  })

  it.effect("whose actor has one defect after the other holds up nobody else", () => {
    const machine = new Machine()
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      machine.of(named("api")).actorDies = true
      const restarted = yield* Effect.fork(tenement.restart(named("api")))
      for (let turn = 0; turn < 20; turn++) {
        yield* pass("150 millis")
        const removed = yield* Effect.fork(tenement.remove(named("api:two"), { data: false }))
        yield* settle
        assert.isNotNull(removed.unsafePoll())
        const spawned = yield* Effect.fork(tenement.spawn(ServiceName.make("api"), InstanceId.make("two")))
        yield* settle
        assert.isNotNull(spawned.unsafePoll())
      }
      machine.of(named("api")).actorDies = false
      yield* pass("2 seconds")
      assert.strictEqual((yield* Fiber.join(restarted)).instance.state, "running")
    }).pipe(
      Effect.provide(
        machine.layer(config([service("api", { instances: ["default", "two"].map((id) => InstanceId.make(id)) })]))
      )
    )
  })

  it.effect("in backoff is started, stopped or removed at once, and its timer never fires", () => {
    const machine = new Machine()
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      yield* machine.child("api").exit({ code: 1 })
      yield* settle
      yield* tenement.start(named("api"))
      yield* machine.child("api").exit({ code: 1 })
      yield* settle
      yield* tenement.stop(named("api"))
      yield* pass("1 minute")
      assert.strictEqual(machine.children.length, 2)
      yield* tenement.start(named("api"))
      yield* machine.child("api").exit({ code: 1 })
      yield* settle
      yield* tenement.remove(named("api"), { data: false })
      yield* pass("1 minute")
      assert.strictEqual(machine.children.length, 3)
      assert.deepStrictEqual(yield* tenement.list, [])
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("is created by spawn, once, however many ask", () => {
    const machine = new Machine()
    return Effect.gen(function*() {
      const tenement = yield* Tenement
      const spawn = tenement.spawn(ServiceName.make("api"), InstanceId.make("test"))
      yield* Effect.all(Array.from({ length: 50 }, () => spawn), { concurrency: 50 })
      assert.strictEqual(machine.living.filter(({ instance }) => instance === named("api:test")).length, 1)
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("is told what its own layers get wrong, and its actor lives", () => {
    const machine = new Machine()
    const checked = (name: string) => service(name, { health: "/health", restart: "always", maxRestarts: 1 })
    for (const broken of ["health", "readiness", "prepare", "backoff", "policy"] as const) {
      machine.of(broken).broken = broken
    }
    return Effect.gen(function*() {
      yield* settle
      for (const name of ["backoff", "policy"]) yield* machine.child(name).exit({ code: 1 })
      yield* pass("1 minute")
      const why = (name: string) =>
        Effect.gen(function*() {
          const { describe } = yield* Tenement
          const { history, instance } = yield* describe(named(name))
          return `${instance.state}: ${history.map(({ cause }) => describeCause(cause)).join("; ")}`
        })
      assert.match(yield* why("health"), /failed: .*the check itself is broken: Error: the check itself is broken/)
      assert.match(
        yield* why("readiness"),
        /failed: .*not ready within 5 s: the check itself is broken: Error: no eyes/
      )
      assert.match(yield* why("prepare"), /failed: .*could not be started: Error: no plan/)
      assert.match(yield* why("backoff"), /failed: .*schedule came to an end/)
      assert.match(yield* why("policy"), /healthy: .*exited with code 1/)
      const events = yield* Effect.flatMap(
        Events,
        ({ read }) => Stream.runCollect(read({ tail: null, sinceMs: null, follow: false }))
      )
      assert.notInclude(JSON.stringify([...events]), "its actor had a defect")
    }).pipe(
      Effect.provide(machine.layer(config(["health", "readiness", "prepare", "backoff", "policy"].map(checked))))
    )
  })

  it.effect("that is removed with its data says what is left of that", () => {
    const machine = new Machine()
    machine.of("api").logsStay = true
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      const error = yield* Effect.flip(tenement.remove(named("api"), { data: true }))
      assert.strictEqual(error._tag, "DataLeft")
      assert.include(error.message, "/logs")
      assert.isFalse(fs.existsSync(`${(yield* tenement.config).settings.dataDir}/api/default`))
      assert.deepStrictEqual(yield* tenement.list, [])
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })

  it.effect("that cannot be launched says why", () => {
    const machine = new Machine()
    machine.of("api").failsToLaunch = true
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      const error = yield* Effect.flip(tenement.start(named("api")))
      assert.include(error.message, "api:default is not ready: it could not be started")
      machine.of("api").failsToLaunch = false
      yield* pass("1 minute")
      assert.strictEqual(yield* stateOf("api"), "running")
    }).pipe(Effect.provide(machine.layer(config([api]))))
  })
})

describe("dependencies", () => {
  const stack = config([
    service("web", { dependsOn: on("api") }),
    service("api", { dependsOn: on("db") }),
    service("db")
  ])

  it.effect("start in order and stop in reverse", () =>
    Effect.gen(function*() {
      const machine = new Machine()
      yield* settle.pipe(Effect.provide(machine.layer(stack)))
      const order = ["db", "api", "web"].map((name) => `start ${named(name)}`)
      const back = ["web", "api", "db"].map((name) => `end ${named(name)}`)
      assert.deepStrictEqual(machine.trace, [...order, ...back])
    }))

  it.effect("keep the others waiting, who say for what", () => {
    const machine = new Machine()
    machine.of("db").getsReady = false
    return Effect.gen(function*() {
      yield* pass("1 second")
      assert.strictEqual(yield* stateOf("api"), "starting")
      const { waitingFor } = yield* Effect.flatMap(Tenement, ({ describe }) => describe(named("api")))
      assert.deepStrictEqual(waitingFor, on("db"))
      machine.of("db").getsReady = true
      yield* pass("1 second")
      assert.strictEqual(yield* stateOf("web"), "running")
    }).pipe(Effect.provide(machine.layer(stack)))
  })

  it.effect("that are down are named to who asks for a start", () => {
    const machine = new Machine()
    return Effect.gen(function*() {
      yield* settle
      const tenement = yield* Tenement
      yield* tenement.stop(named("api"))
      yield* tenement.stop(named("db"))
      const error = yield* Effect.flip(tenement.start(named("api")))
      assert.include(error.message, "it waits for db, which is not running")
      // Also to who asks when it has been waiting for a while.
      const again = yield* Effect.flip(tenement.start(named("api")))
      assert.include(again.message, "it waits for db, which is not running")
      yield* tenement.start(named("db"))
      yield* settle
      assert.strictEqual(yield* stateOf("api"), "running")
    }).pipe(Effect.provide(machine.layer(stack)))
  })
})
