import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Tenement } from "../src/actors/Tenement.ts"
import * as Embed from "../src/embed.ts"

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
