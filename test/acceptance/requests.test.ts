import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as net from "node:net"
import * as Fx from "./Fx.ts"
import type * as Http from "./Http.ts"
import { type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

/** Bytes as they are, and the status of the answer: 0 for none. */
const raw = (
  socket: string,
  bytes: string | Buffer
): Effect.Effect<{ readonly status: number; readonly text: string }> =>
  Effect.async((resume) => {
    const connection = net.connect(socket)
    const chunks: Array<Buffer> = []
    const done = () => {
      const text = Buffer.concat(chunks).toString("latin1")
      resume(Effect.succeed({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text }))
      connection.destroy()
    }
    connection.on("data", (chunk) => chunks.push(chunk))
    connection.on("error", done)
    connection.on("close", done)
    connection.setTimeout(5000, done)
    connection.write(bytes)
    return Effect.sync(() => connection.destroy())
  })

const assertRefused = (answer: { readonly status: number; readonly text: string }, what: string) => {
  assert.isAtLeast(answer.status, 400, `${what}: ${answer.text.slice(0, 300)}`)
  assert.isBelow(answer.status, 500, `${what}: ${answer.text.slice(0, 300)}`)
  assert.notMatch(answer.text, /\n\s+at |\(node:|\/dist\/|node_modules/, `${what} shows the insides`)
}

const unharmed = (machine: Machine) =>
  Effect.gen(function*() {
    const health = yield* machine.api("/health")
    assert.deepInclude(health.json, { status: "ok", pid: machine.supervisor.pid })
    assert.deepStrictEqual((yield* machine.list).map(({ name, state }) => `${name} ${state}`), ["web:default running"])
    assert.strictEqual((yield* machine.starts("web")).length, 1)
  })

const spawn = "/api/instances"
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)

const bad: Readonly<Record<string, readonly [path: string, request: Http.Request]>> = {
  "no JSON": [spawn, { method: "POST", raw: "{" }],
  "no body": [spawn, { method: "POST" }],
  "another content type": [spawn, { method: "POST", raw: "service=web", headers: { "content-type": "text/plain" } }],
  "no object": [spawn, { method: "POST", body: ["web"] }],
  "null": [spawn, { method: "POST", raw: "null" }],
  "a wrong type": [spawn, { method: "POST", body: { service: 1 } }],
  "a number beyond all": [spawn, { method: "POST", raw: "{\"service\":1e400}" }],
  "an unknown field": [spawn, { method: "POST", body: { service: "web", id: "x", force: true } }],
  "a service that is not there": [spawn, { method: "POST", body: { service: "wbe" } }],
  "__proto__": [spawn, { method: "POST", raw: "{\"__proto__\":{\"service\":\"web\"}}" }],
  "constructor as a service": [spawn, { method: "POST", body: { service: "constructor" } }],
  "__proto__ as a service": [spawn, { method: "POST", body: { service: "__proto__" } }],
  "a path as an id": [spawn, { method: "POST", body: { service: "web", id: "../../etc" } }],
  "a NUL in an id": [spawn, { method: "POST", body: { service: "web", id: "a\u0000b" } }],
  "an id of 64 letters": [spawn, { method: "POST", body: { service: "web", id: "x".repeat(64) } }],
  "deep nesting": [spawn, { method: "POST", raw: nested(100_000) }],
  "a body that is too large": [spawn, { method: "POST", raw: Buffer.alloc(100 << 20, " ") }],
  "an encoded path as a name": ["/api/instances/..%2f..%2fetc/stop", { method: "POST" }],
  "an encoded NUL as a name": ["/api/instances/web%00:default/stop", { method: "POST" }],
  "a bad percent sign": ["/api/instances/%zz/stop", { method: "POST" }],
  "no colon in a name": ["/api/instances/web/stop", { method: "POST" }],
  "an instance that is not there": ["/api/instances/web:nobody/stop", { method: "POST" }],
  "a wrong method": ["/api/instances/web:default/stop", { method: "GET" }],
  "a method that is none of ours": ["/api/instances/web:default", { method: "PATCH" }],
  "a path that is not there": ["/api/nothing", {}],
  "a parameter that is not known": ["/api/reload?dry=true", { method: "POST" }],
  "a parameter that is no boolean": ["/api/reload?dryRun=perhaps", { method: "POST" }],
  "a tail that is no number": ["/api/instances/web:default/logs?tail=many", {}],
  "a negative tail": ["/api/instances/web:default/logs?tail=-1", {}],
  "a tail beyond all": ["/api/events?tail=1e400", {}],
  "a since that is none": ["/api/events?since=yesterday", {}],
  "a grep that is none": ["/api/instances/web:default/logs?grep=(", {}],
  "a grep that is too long": [`/api/instances/web:default/logs?grep=${"a".repeat(5000)}`, {}],
  "a query that is too long": [`/api/events?since=${"1".repeat(30_000)}`, {}]
}

describe("bad requests", () => {
  it.scopedLive("each get a 4xx with a typed error, at once, and change nothing", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      const memory = () => Number(Proc.status(machine.supervisor.pid, "VmRSS")?.split(" ")[0])
      const before = memory()
      for (const [what, [path, request]] of Object.entries(bad)) {
        const asked = Fx.now()
        const answer = yield* Effect.either(machine.api(path, request))
        assert.isBelow(Fx.now() - asked, 2000, what)
        // A body that is too large may be cut off before it was sent.
        if (answer._tag === "Left") {
          assert.strictEqual(what, "a body that is too large")
          continue
        }
        assertRefused(answer.right, what)
        if (answer.right.json !== undefined) assert.property(answer.right.json, "_tag", what)
        else assert.include([400, 414, 431], answer.right.status, what)
      }
      assert.isBelow(memory() - before, 64 * 1024, "kilobytes")
      yield* unharmed(machine)
    }))

  it.scopedLive("that are not even HTTP are refused, too", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      const lines = [
        "\0\0\0\0",
        "GET\r\n\r\n",
        "GET /api/instances HTTP/9.9\r\n\r\n",
        "GET /api/instances/a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/instances HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/instances HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        `GET /health HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
        "GET /health HTTP/1.1\r\n\r\n"
      ]
      for (const line of lines) {
        const answer = yield* raw(machine.socket, line)
        assertRefused(answer, JSON.stringify(line.slice(0, 60)))
      }
      yield* unharmed(machine)
    }))

  it.scopedLive("a pattern that takes for ever does not hold up the supervisor", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, `out=${"a".repeat(45)}!`) } })
      yield* machine.until("web", "running")
      yield* machine.untilUp("web")
      const patient = machine.api(`/api/instances/web:default/logs?grep=${encodeURIComponent("^(a+)+$")}`)
      const search = yield* Effect.fork(Effect.timeoutOption(patient, "5 seconds"))
      yield* Effect.sleep("100 millis")
      const asked = Fx.now()
      yield* unharmed(machine)
      assert.isBelow(Fx.now() - asked, 2000)
      yield* search
    }))

  it.scopedLive("of every kind never meet a defect", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      const word = FastCheck.oneof(
        FastCheck.constantFrom(
          "web",
          "web:default",
          "web:x",
          "..",
          "%2e%2e",
          "%00",
          "constructor",
          "a".repeat(300),
          "é"
        ),
        FastCheck.string({ maxLength: 12 }).map(encodeURIComponent)
      )
      const request = FastCheck.record({
        method: FastCheck.constantFrom("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "FOO"),
        // Never a path that means something for the instance that runs.
        path: FastCheck.tuple(
          FastCheck.constantFrom(
            "/api/instances/",
            "/api/",
            "/api/events?tail=",
            "/api/instances/web:y/",
            "/api/logs?grep="
          ),
          word,
          FastCheck.constantFrom("", "/start", "/probe", "/logs?tail=0", "?follow=maybe", "/")
        ).map((parts) => parts.join("")).filter((path) => !/web:default($|\/start|\?)|follow=true/.test(path)),
        type: FastCheck.constantFrom("application/json", "text/plain", "application/xml", ""),
        body: FastCheck.oneof(
          FastCheck.json({ maxDepth: 3 }),
          FastCheck.string({ maxLength: 40 }),
          FastCheck.constantFrom("{\"service\":\"nope\"}", "{\"service\":{}}", "{\"a\":", "\u0000")
        )
      })
      const requests = FastCheck.sample(request, { numRuns: 1500, seed: 20_260_101 })
      yield* Effect.forEach(requests, ({ body, method, path, type }) =>
        Effect.gen(function*() {
          const payload = method === "GET" || method === "HEAD" ? "" : body
          const answer = yield* raw(
            machine.socket,
            `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: ${type}\r\n` +
              `Content-Length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`
          )
          const what = `${method} ${path} ${payload}`
          assert.isAbove(answer.status, 199, what)
          assert.isBelow(answer.status, 500, `${what}: ${answer.text.slice(0, 400)}`)
        }), { concurrency: 8, discard: true })
      yield* unharmed(machine)
    }))
})
