import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import type * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { make } from "./Machine.ts"

const script = path.resolve(import.meta.dirname, "../fixtures/versioned.mjs")

const service = (root: string, keys: Fx.Table = {}): Fx.Table => ({
  command: process.execPath,
  args: [script],
  socket: `${root}/web.sock`,
  isolation: "process",
  readiness: "socket",
  env: { VERSION: "{id}" },
  startup_timeout: 3,
  ...keys
})

/** A machine whose service has one public path for whoever has the traffic. */
const started = Effect.gen(function*() {
  const machine = yield* make({ service: { none: { command: "true", instances: [] } } }, { extraDescriptors: 1 })
  const socket = `${machine.root}/web.sock`
  yield* machine.write({ service: { none: { command: "true", instances: [] }, web: service(machine.root) } })
  assert.strictEqual((yield* machine.cli("reload")).code, 0)
  const version = Effect.map(
    Effect.orDie(Http.request(socket, "/")),
    ({ json }) => (json as { version: string }).version
  )
  return { machine, socket, version }
})

const command = ["--", process.execPath, script, "v"]

describe("deploy", () => {
  it.scopedLive(
    "brings a version up beside the old one, moves the public path, and stops the old one",
    () =>
      Effect.gen(function*() {
        const { machine, version } = yield* started
        assert.strictEqual(yield* version, "default")
        const deployed = yield* machine.cli("deploy", "web", "--as", "v2", ...command)
        assert.strictEqual(deployed.code, 0, deployed.stderr)
        assert.strictEqual(yield* version, "v2")
        assert.strictEqual((yield* machine.view("web")).state, "stopped")
        assert.deepInclude(yield* machine.view("web:v2"), { state: "running", weight: 100 })
        assert.deepStrictEqual((yield* machine.describe("web:v2")).command, command.slice(1))

        // And it is so under another supervisor, and after a way back.
        const next = yield* machine.kill()
        yield* next.until("web:v2", "running")
        assert.strictEqual(yield* version, "v2")
        assert.strictEqual((yield* next.view("web")).state, "stopped")
        const back = yield* next.cli("route", "web:default")
        assert.strictEqual(back.code, 0, back.stderr)
        assert.strictEqual(yield* version, "default")
        assert.strictEqual((yield* next.view("web:v2")).state, "stopped")
      }),
    120_000
  )

  it.scopedLive(
    "removes a version that does not get ready, and the old one keeps its traffic",
    () =>
      Effect.gen(function*() {
        const { machine, version } = yield* started
        const { pid } = yield* machine.view("web")
        const deployed = yield* machine.cli("deploy", "web", "--as", "v2", "--", "sleep", "60")
        assert.strictEqual(deployed.code, 1, deployed.stdout)
        assert.include(deployed.stderr, "web:v2")
        assert.strictEqual(yield* version, "default")
        assert.strictEqual((yield* machine.view("web")).pid, pid)
        assert.deepStrictEqual((yield* machine.list).map(({ name }) => name), ["web:default"])
        const wrong = yield* machine.cli("deploy", "web", "--as", "v3", "--", "program", "{nothing}")
        assert.strictEqual(wrong.code, 2, wrong.stderr)
        assert.include(wrong.stderr, "{nothing}")
      }),
    120_000
  )

  it.scopedLive("gives a share of the traffic, which holds until it is set again", () =>
    Effect.gen(function*() {
      const { machine, version } = yield* started
      const deployed = yield* machine.cli("deploy", "web", "--as", "v2", "--share", "10")
      assert.strictEqual(deployed.code, 0, deployed.stderr)
      assert.strictEqual(yield* version, "default")
      const weights = (list: typeof machine.list) =>
        Effect.map(list, (all) => all.map(({ name, weight }) => [name, weight]))
      assert.deepStrictEqual(yield* weights(machine.list), [["web:default", 100], ["web:v2", 10]])
      assert.include((yield* machine.cli("weight", "web:v2", "30")).stdout, "web:v2 has weight 30")
      const next = yield* machine.kill()
      yield* eventually(
        "both are there",
        weights(next.list),
        (all) => JSON.stringify(all) === "[[\"web:default\",100],[\"web:v2\",30]]"
      )
      assert.include((yield* next.cli("weight", "web:v2")).stdout, "web:v2 has weight 100")
    }), 120_000)
})
