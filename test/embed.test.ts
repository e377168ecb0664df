import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Tenement } from "../src/actors/Tenement.ts"
import type { ServiceConfig } from "../src/domain/Config.ts"
import type { ConfigInvalid } from "../src/domain/Errors.ts"
import * as Embed from "../src/embed.ts"
import * as Backoff from "../src/layers/Backoff.ts"
import type { StoreFailed, StoreTooNew } from "../src/layers/Errors.ts"
import { forService, type InstanceServices, type Replaceable } from "../src/layers/forService.ts"
import * as HealthCheck from "../src/layers/HealthCheck.ts"
import type { Isolation } from "../src/layers/Isolation.ts"
import type { Levels } from "../src/layers/Levels.ts"
import type { AlreadyRunning, LockFailed } from "../src/layers/Lock.ts"
import type { Notify } from "../src/layers/Notify.ts"
import type { Readiness } from "../src/layers/Readiness.ts"
import type { RestartPolicy } from "../src/layers/RestartPolicy.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-embed-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

describe("Embed", () => {
  it("makes names of instances from texts", () => {
    assert.strictEqual(Embed.instance("web"), "web:default")
    assert.strictEqual(Embed.instance("web:blue"), "web:blue")
    assert.throws(() => Embed.instance("Web"))
    assert.throws(() => Embed.instance("web:"))
  })

  it("refuses at once what cannot be a service or a configuration", () => {
    const web = Embed.service({ name: "web", command: "true" })
    assert.throws(() => Embed.service({ name: "web", command: "echo 'x" }), /has a ' that is never closed/)
    assert.throws(() => Embed.config({ services: [web, web] }), /service\.web: declared twice/)
  })

  it.scopedLive("starts nothing of a configuration that is not sound", () =>
    Effect.gen(function*() {
      const dataDir = `${yield* folder}/data`
      const settings = { dataDir, startConcurrency: 0 }
      const services = [Embed.service({ name: "web", command: "sleep 60", dependsOn: ["db"] })]
      const error = yield* Effect.flip(Layer.build(Embed.layer(Embed.config({ services, settings }))))
      assert.strictEqual(error._tag, "ConfigInvalid")
      assert.include(error.message, "settings.startConcurrency: found 0")
      assert.include(error.message, "there is no service \"db\"")
      assert.isFalse(Fs.existsSync(dataDir))
    }))

  it.scopedLive("starts what it is given, and waits until it is ready", () =>
    Effect.gen(function*() {
      const dataDir = yield* folder
      const services = [Embed.service({ name: "web", command: "sleep 60" })]
      const tree = Embed.layer(Embed.config({ services, settings: { dataDir } }))
      yield* Effect.provide(
        Effect.gen(function*() {
          const { config, reload, start } = yield* Tenement
          const { instance } = yield* start(Embed.instance("web"))
          assert.strictEqual(instance.state, "running")
          const running = yield* config
          const unsound = {
            ...running,
            services: new Map([...running.services].map(([name, service]) => [name, { ...service, argv: [] }]))
          }
          const error = yield* Effect.flip(reload(unsound, { dryRun: false }))
          assert.strictEqual(error._tag, "ConfigInvalid")
          assert.strictEqual(yield* config, running)
        }),
        tree
      )
    }))
})

class Database extends Context.Tag("Database")<Database, { readonly query: Effect.Effect<string> }>() {}

const database = Layer.succeed(Database, { query: Effect.succeed("42 rows") })

const asksDatabase = HealthCheck.make(() => Effect.flatMap(Database, ({ query }) => query))

const service = Embed.service({ name: "web", command: "sleep 60", health: "/", readiness: "health" })

describe("the parts of an instance", () => {
  it("are replaced where that can be seen", () => {
    type Needs<L> = L extends Layer.Layer<InstanceServices, never, infer R> ? R : never
    const replaced = forService(service).pipe(
      Layer.provide(Backoff.fromSchedule(Schedule.spaced("1 second"))),
      Layer.provide(asksDatabase)
    )
    expectTypeOf<Needs<typeof replaced>>().toEqualTypeOf<
      Levels | Notify | Database | Replaceable<Isolation> | Replaceable<Readiness> | Replaceable<RestartPolicy>
    >()
    const config = Embed.config({ services: [service] })
    const failures = null as unknown as ConfigInvalid | AlreadyRunning | LockFailed | StoreFailed | StoreTooNew
    expectTypeOf(Embed.layer(config)).toEqualTypeOf<Layer.Layer<Tenement, typeof failures>>()
    expectTypeOf(Embed.layer(config, forService)).toEqualTypeOf<Layer.Layer<Tenement, typeof failures>>()
    expectTypeOf(Embed.layer(config, () => replaced)).toEqualTypeOf<Layer.Layer<Tenement, typeof failures, Database>>()
  })

  it.scopedLive("may need what the program has", () =>
    Effect.gen(function*() {
      const settings = { dataDir: yield* folder }
      const layers = (service: ServiceConfig) => Layer.provide(forService(service), asksDatabase)
      yield* Effect.flatMap(Tenement, ({ probe, start }) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* start(Embed.instance("web"))).instance.state, "healthy")
          assert.strictEqual((yield* probe(Embed.instance("web"))).detail, "42 rows")
        })).pipe(
          Effect.provide(Embed.layer(Embed.config({ services: [service], settings }), layers)),
          Effect.provide(database)
        )
    }))

  it.scopedLive.each([undefined, forService])(
    "are not those that the program has for itself",
    (layers) =>
      Effect.gen(function*() {
        const settings = { dataDir: yield* folder }
        const services = [Embed.service({ name: "web", command: "sleep 60" })]
        const error = yield* Effect.flatMap(
          Tenement,
          ({ probe, start }) => Effect.zipRight(start(Embed.instance("web")), probe(Embed.instance("web")))
        ).pipe(
          Effect.provide(Embed.layer(Embed.config({ services, settings }), layers)),
          Effect.provide(HealthCheck.make(() => Effect.succeed("the program itself is well"))),
          Effect.flip
        )
        assert.strictEqual(error._tag, "NotRunning")
        assert.include(error.message, "it has no health check")
      })
  )
})
