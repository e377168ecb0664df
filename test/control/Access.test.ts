import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type * as Http from "node:http"
import * as Path from "node:path"
import { checkHost } from "../../src/control/Access.ts"
import * as Middleware from "../../src/control/Middleware.ts"
import * as Tokens from "../../src/control/Tokens.ts"
import * as Rig from "./Rig.ts"

const name = (text: string) => Tokens.TokenName.make(text)
const open = new Set(["/health", "/metrics"])

const bodies: Readonly<Record<string, string>> = {
  "/api/instances": `{"service":"api"}`,
  "/api/instances/:name/weight": `{"weight":null}`,
  "/api/deploy": `{"service":"api","id":"default"}`
}

/** Here is nobody who could be replaced: these come as far as that. */
const replacing = new Set(["/api/upgrade", "/api/leave"])
const statusesOf = ({ path }: Middleware.Route) => replacing.has(path) ? [409] : [200, 204]

/** A request that the route would accept. */
const requestFor = ({ method, path, takesBody }: Middleware.Route, headers: Http.OutgoingHttpHeaders = {}) => ({
  method,
  path: path.replace(":name", "api:default"),
  headers: { ...headers, ...(takesBody ? { "content-type": "application/json" } : {}) },
  ...(takesBody ? { body: bodies[path] ?? "{}" } : {})
})

describe("over TCP", () => {
  it.scopedLive("every route but two asks for a token, and the socket asks for none", () =>
    Effect.gen(function*() {
      const { dir, port, socket } = yield* Rig.start()
      const secret = yield* Tokens.create(dir, name("ci"))
      const wrong = [
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${secret}x`,
        `Bearer ${secret.slice(1)}`,
        `Basic ${secret}`,
        secret,
        "Bearer ci"
      ]
      // Removal comes last, for the other routes need the instance.
      const routes = Middleware.routes.toSorted((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"))
      for (const [index, route] of routes.entries()) {
        const label = `${route.method} ${route.path}`
        // Each of the wrong ones at one route at least, and two at each.
        for (const authorization of [wrong[index % wrong.length], `Bearer ${secret}x`]) {
          const { headers, json, status } = yield* Rig.send({ port }, requestFor(route, { authorization }))
          assert.strictEqual(status, open.has(route.path) ? 200 : 401, `${label} ${authorization}`)
          if (status !== 401) continue
          assert.strictEqual(json()._tag, "Unauthorized", label)
          assert.strictEqual(headers["www-authenticate"], "Bearer", label)
        }
        const allowed = yield* Rig.send({ port }, requestFor(route, { authorization: `Bearer ${secret}` }))
        assert.oneOf(allowed.status, statusesOf(route), label)
        if (route.method === "DELETE") {
          yield* Rig.send(
            { socket },
            requestFor(
              Middleware.routes.find(({ method, path }) => method === "POST" && path === "/api/instances") ?? route
            )
          )
        }
        assert.oneOf((yield* Rig.send({ socket }, requestFor(route))).status, statusesOf(route), label)
      }
    }))

  it.scopedLive("a token is dead as soon as it is revoked, and others live", () =>
    Effect.gen(function*() {
      const { dir, port } = yield* Rig.start()
      const first = yield* Tokens.create(dir, name("first"))
      const second = yield* Tokens.create(dir, name("second"))
      const status = (secret: string) =>
        Effect.map(
          Rig.send({ port }, { path: "/api/instances", headers: { authorization: `Bearer ${secret}` } }),
          (answer) => answer.status
        )
      assert.deepStrictEqual([yield* status(first), yield* status(second)], [200, 200])
      yield* Tokens.revoke(dir, name("first"))
      assert.deepStrictEqual([yield* status(first), yield* status(second)], [401, 200])
      Fs.rmSync(Path.join(dir, ".tokens"))
      assert.strictEqual(yield* status(second), 401)
    }))

  it.scopedLive("a foreign host or origin is refused on every route", () =>
    Effect.gen(function*() {
      const { dir, port, socket } = yield* Rig.start()
      const authorization = `Bearer ${yield* Tokens.create(dir, name("ci"))}`
      for (const route of Middleware.routes) {
        for (
          const headers of [{ host: "evil.test" }, { host: "localhost", origin: "http://evil.test" }]
        ) {
          const { json, status } = yield* Rig.send({ port }, requestFor(route, { authorization, ...headers }))
          assert.strictEqual(status, 403, `${route.method} ${route.path}`)
          assert.strictEqual(json()._tag, "ForeignHost")
          assert.include(json().message, "evil.test")
          assert.include(json().message, "`domain` in [settings]")
        }
      }
      // Who can open the socket is no browser.
      assert.strictEqual((yield* Rig.send({ socket }, { path: "/health", headers: { host: "whatever" } })).status, 200)
    }))

  it("knows its own names from others", () => {
    const names = ["localhost", "shop.test"]
    const ours = (host: string | undefined, origin?: string) =>
      checkHost({ ...(host === undefined ? {} : { host }), ...(origin === undefined ? {} : { origin }) }, names) ===
        null
    for (
      const host of [
        "localhost",
        "localhost:8000",
        "LOCALHOST",
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.0.0.7",
        "shop.test.",
        "api.shop.test"
      ]
    ) {
      assert.isTrue(ours(host), host)
    }
    for (
      const host of [
        undefined,
        "",
        "evil.test",
        "shop.test.evil.test",
        "notshop.test",
        "localhost@evil.test",
        "127.0.0.1.evil.test",
        "a b"
      ]
    ) {
      assert.isFalse(ours(host), host)
    }
    assert.isTrue(ours("localhost", "http://localhost:3000"))
    for (const origin of ["null", "", "http://evil.test", "file://", "https://localhost.evil.test"]) {
      assert.isFalse(ours("localhost", origin), origin)
    }
  })
})

describe("Tokens", () => {
  it.scopedLive("keeps hashes only, in a file for its owner alone", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      const secret = yield* Tokens.create(dir, name("ci"))
      const file = Path.join(dir, ".tokens")
      assert.strictEqual(Fs.statSync(file).mode & 0o777, 0o600)
      assert.notInclude(Fs.readFileSync(file, "utf8"), secret)
      assert.match(secret, /^ten_[\w-]{43}$/)
      assert.deepStrictEqual((yield* Tokens.list(dir)).map((token) => token.name), [name("ci")])
      assert.strictEqual((yield* Effect.flip(Tokens.create(dir, name("ci"))))._tag, "TokenExists")
      assert.strictEqual((yield* Effect.flip(Tokens.revoke(dir, name("nope"))))._tag, "NoSuchToken")
      assert.deepStrictEqual(Fs.readdirSync(dir), [".tokens"])
    }))

  it.scopedLive("holds what cannot be read for no token, and says so", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      Fs.mkdirSync(Path.join(dir, ".tokens"))
      assert.isFalse(yield* Tokens.verifier(dir)("ten_x"))
      assert.strictEqual((yield* Effect.flip(Tokens.list(dir)))._tag, "TokensFailed")
    }))
})
