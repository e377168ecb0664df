import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type Machine, make } from "./Machine.ts"
import * as Site from "./Site.ts"

const open = new Set(["/health", "/metrics"])

/** A machine that also listens on a free port, and that port. */
const listening = Effect.gen(function*() {
  const machine = yield* make({ settings: { listen: "127.0.0.1:0" }, service: { web: Fx.service({}, "") } }, {
    extraDescriptors: 1
  })
  yield* machine.until("web", "running")
  const told = yield* eventually("the port is told", machine.supervisor.stderr, (text) => /127\.0\.0\.1:\d+/.test(text))
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(told)?.[1])
  const ask = (path: string, request?: Http.Request) => Effect.orDie(Http.request(port, path, request))
  return { machine, port, ask }
})

/** Every route there is, from the document that describes them. */
const routes = (machine: Machine) =>
  Effect.map(
    machine.api("/api/openapi.json"),
    ({ json }) =>
      Object.entries((json as { readonly paths: Readonly<Record<string, object>> }).paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => ({
          method: method.toUpperCase(),
          path: path.replace(/\{\w+\}/g, "web:default")
        }))
      )
  )

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

describe("the API over TCP", () => {
  it.scopedLive("asks for a token on every route but two, says nothing without, and changes nothing", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* listening
      const all = yield* routes(machine)
      assert.isAbove(all.length, 12)
      for (const { method, path } of all) {
        for (const headers of [{}, { authorization: "Bearer nonsense" }, { authorization: "Basic d2ViOndlYg==" }]) {
          const answer = yield* ask(path, { method, headers })
          const what = `${method} ${path}`
          if (open.has(path)) {
            assert.strictEqual(answer.status, 200, what)
          } else {
            assert.strictEqual(answer.status, 401, `${what}: ${answer.text}`)
            assert.propertyVal(answer.json, "_tag", "Unauthorized", what)
            assert.notInclude(answer.text, "web", what)
          }
        }
      }
      assert.strictEqual((yield* machine.view("web")).state, "running")
      assert.strictEqual((yield* machine.starts("web")).length, 1)
    }))

  it.scopedLive("takes a token until it is revoked, and keeps only its hash", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* listening
      const created = yield* machine.cli("token", "create", "deploy")
      assert.strictEqual(created.code, 0, created.stderr)
      const token = created.stdout.trim()
      assert.isAbove(token.length, 20)
      const listed = yield* ask("/api/instances", bearer(token))
      assert.strictEqual(listed.status, 200, listed.text)
      assert.strictEqual(
        (yield* ask("/api/instances/web:default/stop", { method: "POST", ...bearer(token) })).status,
        200
      )
      assert.strictEqual((yield* machine.view("web")).state, "stopped")

      assert.include((yield* machine.cli("token", "list")).stdout, "deploy")
      for (const entry of fs.readdirSync(machine.dataDir, { withFileTypes: true })) {
        if (!entry.isFile()) continue
        const file = `${machine.dataDir}/${entry.name}`
        assert.notInclude(fs.readFileSync(file, "utf8"), token, file)
        assert.strictEqual(fs.statSync(file).mode & 0o077, 0, file)
      }
      assert.strictEqual((yield* machine.cli("token", "create", "deploy")).code, 1, "the name is taken")
      assert.strictEqual((yield* machine.cli("token", "revoke", "deploy")).code, 0)
      assert.strictEqual((yield* ask("/api/instances", bearer(token))).status, 401)
      assert.strictEqual((yield* machine.cli("token", "revoke", "deploy")).code, 1)
    }))

  it.scopedLive("refuses requests that name another host, or come from another's page", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* listening
      const token = (yield* machine.cli("token", "create", "page")).stdout.trim()
      const authorization = `Bearer ${token}`
      for (const host of ["localhost", `localhost:${port}`, "127.0.0.1", `127.0.0.1:${port}`]) {
        assert.strictEqual((yield* ask("/api/tree", { headers: { authorization, host } })).status, 200, host)
      }
      const foreign: ReadonlyArray<Record<string, string>> = [
        { host: "evil.example" },
        { host: "127.0.0.1.evil.example" },
        { host: `localhost:${port}@evil.example` },
        { origin: "http://evil.example" },
        { origin: "null" }
      ]
      for (const headers of foreign) {
        const answer = yield* ask("/api/tree", { headers: { authorization, ...headers } })
        assert.oneOf(answer.status, [400, 403], JSON.stringify(headers))
        assert.strictEqual(answer.headers["access-control-allow-origin"], undefined)
      }
    }))

  it.scopedLive("a port that is taken is told, with the key to change, and nothing is started", () =>
    Effect.gen(function*() {
      const { port } = yield* listening
      const site = yield* Site.make({
        settings: { listen: `127.0.0.1:${port}` },
        service: { web: Fx.service({}, "") }
      })
      const { code, stderr } = yield* site.cli("serve")
      assert.strictEqual(code, 1, stderr)
      assert.include(stderr, String(port))
      assert.include(stderr, "listen")
      assert.deepStrictEqual(Fx.records(`${site.root}/truth`), [])
    }))
})
