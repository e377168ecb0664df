import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Client from "../../src/control/Client.ts"
import * as Middleware from "../../src/control/Middleware.ts"
import { InstanceId, InstanceName, ServiceName } from "../../src/domain/Names.ts"
import * as FakeTenement from "./FakeTenement.ts"
import * as Rig from "./Rig.ts"

const service = (name: string) => ServiceName.make(name)
const named = (name: string) => ({ path: { name: InstanceName.make(name) } })

const rig = (options?: { readonly invalid?: boolean }) =>
  Effect.gen(function*() {
    const started = yield* Rig.start(options)
    return { ...started, client: yield* Client.make(started.socket) }
  })

describe("the API, through the client that is derived from it", () => {
  it.scopedLive("spawns, stops, starts, restarts, probes, describes and removes", () =>
    Effect.gen(function*() {
      const { instances } = (yield* rig()).client
      const spawned = yield* instances.spawn({ payload: { service: service("api"), id: InstanceId.make("prod") } })
      assert.strictEqual(spawned.instance.name, "api:prod")
      assert.isTrue(spawned.changed)
      assert.isFalse((yield* instances.spawn({ payload: { service: service("api") } })).changed)
      assert.deepStrictEqual((yield* instances.list({})).map(({ id }) => id), [
        InstanceId.make("default"),
        InstanceId.make("prod")
      ])
      assert.strictEqual((yield* instances.stop(named("api:prod"))).instance.state, "stopped")
      assert.strictEqual((yield* Effect.flip(instances.probe(named("api:prod"))))._tag, "NotRunning")
      assert.strictEqual((yield* instances.start(named("api:prod"))).instance.state, "running")
      assert.strictEqual((yield* instances.restart(named("api:prod"))).instance.state, "running")
      assert.isTrue((yield* instances.probe(named("api:prod"))).healthy)
      assert.strictEqual((yield* instances.describe(named("api:prod"))).incarnation, 1)
      yield* instances.remove({ ...named("api:prod"), urlParams: { data: true } })
      const gone = yield* Effect.flip(instances.describe(named("api:prod")))
      assert.strictEqual(gone._tag, "NoSuchInstance")
      assert.include(gone.message, "there is no instance \"api:prod\"")
    }))

  it.scopedLive("tells errors with their fields and a message", () =>
    Effect.gen(function*() {
      const { client } = yield* rig()
      const unknown = yield* Effect.flip(client.instances.spawn({ payload: { service: service("nope") } }))
      assert.strictEqual(unknown._tag, "NoSuchService")
      const slow = yield* Effect.flip(client.instances.spawn({ payload: { service: service("slow") } }))
      assert.strictEqual(slow._tag, "NotReady")
      if (slow._tag === "NotReady") assert.strictEqual(slow.instance.name, "slow:default")
    }))

  it.scopedLive("answers for the supervisor and the tree", () =>
    Effect.gen(function*() {
      const { client } = yield* rig()
      const health = yield* client.supervisor.health({})
      assert.deepStrictEqual(health.instances, { running: 1 })
      assert.strictEqual(health.pid, process.pid)
      assert.strictEqual(yield* client.supervisor.metrics({}), "up 1\n")
      assert.strictEqual((yield* client.tree.tree({})).children[0]?.name, "api:default")
      assert.strictEqual((yield* client.tree.config({})).settings["log_max_mb"], 10)
      assert.isFalse((yield* client.tree.reload({ urlParams: { dryRun: true } })).applied)
      assert.isTrue((yield* client.tree.reload({ urlParams: {} })).applied)
    }))

  it.scopedLive("refuses a reload of a wrong file with all that is wrong", () =>
    Effect.gen(function*() {
      const { client } = yield* rig({ invalid: true })
      const refused = yield* Effect.flip(client.tree.reload({ urlParams: {} }))
      assert.strictEqual(refused._tag, "ConfigInvalid")
      if (refused._tag === "ConfigInvalid") assert.strictEqual(refused.issues[0].line, 3)
    }))

  it.scopedLive("streams lines and events", () =>
    Effect.gen(function*() {
      const { client, fake } = yield* rig()
      const name = InstanceName.make("api:default")
      const texts = (query: Parameters<typeof client.logs>[0]) =>
        Effect.map(Stream.runCollect(client.logs(query)), (lines) => [...lines].map(({ text }) => text))
      assert.deepStrictEqual(yield* texts({ instance: [name] }), ["one", "two", "three"])
      assert.deepStrictEqual(yield* texts({ tail: 1 }), ["three"])
      assert.deepStrictEqual(yield* texts({ grep: "^t", since: "5m" }), ["two", "three"])
      assert.deepStrictEqual(yield* texts({ tail: 0 }), [])
      const missing = yield* Effect.flip(texts({ instance: [InstanceName.make("api:nope")] }))
      assert.strictEqual(missing._tag, "NoSuchInstance")

      const seen = yield* Effect.fork(Stream.runCollect(Stream.take(client.events({ follow: true, tail: 1 }), 2)))
      const past = yield* Stream.runCollect(client.events({ grep: "event [12]", tail: 1 }))
      assert.deepStrictEqual([...past].map(({ seq }) => seq), [2])
      yield* fake.following.await
      yield* fake.publish(FakeTenement.notice(4, "é\u2028\n\n"))
      assert.deepStrictEqual([...(yield* Fiber.join(seen))].map(({ seq }) => seq), [3, 4])
    }))

  it.scopedLive("refuses a pattern that would keep everything waiting", () =>
    Effect.gen(function*() {
      const { client } = yield* rig()
      for (const grep of ["(", "(a+)+$", "(.*)*x$"]) {
        const refusals = [
          Effect.flip(Stream.runDrain(client.logs({ grep }))),
          Effect.flip(Stream.runDrain(client.events({ grep }))),
          Effect.flip(Stream.runDrain(client.events({ grep, follow: true })))
        ]
        for (const refusal of refusals) assert.strictEqual((yield* refusal)._tag, "BadRequest", grep)
      }
    }))

  it.scopedLive("reports a stream that broke", () =>
    Effect.gen(function*() {
      const { client } = yield* rig()
      const name = InstanceName.make("broken:default")
      yield* Effect.exit(client.instances.spawn({ payload: { service: service("broken") } }))
      const broken = yield* Effect.flip(Stream.runDrain(client.logs({ instance: [name], follow: true })))
      assert.strictEqual(broken._tag, "LogsFailed")
    }))

  it.scopedLive("describes every route in its OpenAPI document", () =>
    Effect.gen(function*() {
      const { client } = yield* rig()
      const document = (yield* client.tree.openapi({})) as {
        readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
      }
      for (const { method, path } of Middleware.routes) {
        assert.property(document.paths[path.replace(":name", "{name}")] ?? {}, method.toLowerCase())
      }
      assert.notInclude(JSON.stringify(document), "HttpApiDecodeError")
    }))

  it.scopedLive("keeps a defect to itself and lives on", () =>
    Effect.gen(function*() {
      const { client, socket } = yield* rig()
      const answer = yield* Rig.send({ socket }, {
        method: "POST",
        path: "/api/instances",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ service: "broken" })
      })
      assert.strictEqual(answer.status, 500)
      assert.strictEqual(answer.json()._tag, "InternalError")
      assert.notInclude(answer.text, "shadow")
      assert.strictEqual((yield* client.supervisor.health({})).status, "ok")
    }))
})
