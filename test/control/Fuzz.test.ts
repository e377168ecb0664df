import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fc from "effect/FastCheck"
import * as Http from "node:http"
import * as Net from "node:net"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import * as Middleware from "../../src/control/Middleware.ts"
import * as Rig from "./Rig.ts"

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)

// What is put where a name, a parameter or a value is expected. Nothing here is a name that the fake tree dies of.
const nasty = Fc.oneof(
  Fc.constantFrom(
    "",
    "api",
    "api:default",
    "api:gone",
    "api:",
    ":",
    "API:x",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "api%3Adefault",
    "%00",
    "%zz",
    "%",
    "api:default%00",
    "__proto__",
    "constructor",
    "toString",
    "1e400",
    "-1",
    "0x10",
    "NaN",
    "1".repeat(400),
    "(a+)+$",
    "(",
    "[",
    "a{99999999}",
    "\\",
    "true",
    "TRUE",
    "5m",
    "2026-13-45",
    "9".repeat(40) + "d",
    "null",
    "💥",
    "x".repeat(3000)
  ),
  Fc.string({ maxLength: 20 })
)

const escaped = Fc.tuple(nasty, Fc.boolean()).map(([text, again]) =>
  again
    ? encodeURIComponent(text)
    : text.replaceAll(/[^\x21-\x7e]|[?#]/g, (char) => encodeURIComponent(/[\ud800-\udfff]/.test(char) ? "_" : char))
)

const json = Fc.oneof(
  Fc.json(),
  Fc.record({ service: nasty, id: nasty }).map((value) => JSON.stringify(value)),
  Fc.constantFrom(`{"service":"api"}`, `{"service":"constructor"}`, `{"service":"api","id":"x"}`),
  Fc.constantFrom(
    "",
    "{",
    "nul",
    nested(10_000),
    `{"service":${nested(10_000)}}`,
    `{"__proto__":{"a":1},"service":"api"}`,
    "1e400",
    `{"constructor":1,"service":"api"}`,
    `{"service":"api","service":"nope"}`,
    `{"service":"api","extra":1}`,
    "\ufeff{}",
    `{"service":{"toString":1}}`,
    `"${"x".repeat(70_000)}"`,
    `{"service":"api","id":1e400}`,
    "[]",
    "null",
    "\u0000"
  )
)

const mostly = <A>(usual: Fc.Arbitrary<A>, other: Fc.Arbitrary<A>) =>
  Fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: other })

// A request that some route takes, with something wrong here and there.
const request = Fc.constantFrom(...Middleware.routes).chain(({ method, path, takesBody }) =>
  Fc.record({
    method: mostly(
      Fc.constant<string>(method),
      Fc.constantFrom("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
    ),
    path: Fc.oneof(
      { weight: 5, arbitrary: Fc.constantFrom("api:default", "api:gone").map((name) => path.replace(":name", name)) },
      { weight: 5, arbitrary: escaped.map((name) => path.replace(":name", name)) },
      { weight: 1, arbitrary: escaped.map((name) => `${path}/${name}`) },
      { weight: 1, arbitrary: escaped.map((name) => `/${name}`) }
    ),
    query: Fc.array(
      Fc.tuple(
        Fc.constantFrom("tail", "since", "grep", "instance", "data", "dryRun", "x", "tail[]", "__proto__"),
        escaped
      ),
      { maxLength: 2 }
    ),
    type: mostly(
      Fc.constant("application/json"),
      Fc.constantFrom("application/json; charset=utf-8", "text/plain", "multipart/form-data; boundary=x", "")
    ),
    body: takesBody ? json : mostly(Fc.constant(""), json)
  })
)

const agentFor = (socket: string) =>
  new Http.Agent({ socketPath: socket, keepAlive: true, maxSockets: 8 } as Http.AgentOptions)

v8.setFlagsFromString("--expose-gc")
const collect: () => void = vm.runInNewContext("gc")
const heap = () => {
  collect()
  return process.memoryUsage().heapUsed
}

const leaks = /\n\s+at |node:|\/src\/|node_modules|[a-z]\.ts\b/

describe("the API, whatever it is sent", () => {
  it.scopedLive("answers what is wrong with a typed 4xx, and stays as it was", () =>
    Effect.gen(function*() {
      const { socket } = yield* Rig.start()
      const agent = yield* Effect.acquireRelease(Effect.sync(() => agentFor(socket)), (agent) =>
        Effect.sync(() => agent.destroy()))
      const all = Fc.sample(request, { numRuns: 1000, seed: 20_240_601 })
      const seen = new Map<string, number>()
      const one = (input: typeof all[number]) =>
        Effect.gen(function*() {
          const query = input.query.map(([key, value]) =>
            `${key}=${value}`
          ).join("&")
          const hasBody = input.body !== "" && input.method !== "TRACE"
          const answer = yield* Rig.send({ socket }, {
            agent,
            method: input.method,
            path: query === "" ? input.path : `${input.path}?${query}`,
            headers: {
              ...(hasBody ? { "content-length": Buffer.byteLength(input.body) } : {}),
              ...(hasBody && input.type !== "" ? { "content-type": input.type } : {})
            },
            ...(hasBody ? { body: input.body } : {})
          })
          const shown = `${JSON.stringify(input).slice(0, 500)} → ${answer.status} ${answer.text.slice(0, 500)}`
          assert.isBelow(answer.status, 500, shown)
          if (answer.status < 400 || input.method === "HEAD") return
          const error = answer.json()
          assert.isString(error._tag, shown)
          assert.isString(error.message, shown)
          assert.notMatch(answer.text, leaks, shown)
          seen.set(error._tag ?? "", (seen.get(error._tag ?? "") ?? 0) + 1)
        })
      yield* Effect.forEach(all.slice(0, 500), one, { concurrency: 8 })
      const before = heap()
      yield* Effect.forEach(all.slice(500), one, { concurrency: 8 })
      assert.isBelow(heap() - before, 4 * 1024 ** 2)
      // The generator reaches every refusal there is.
      for (
        const tag of [
          "BadRequest",
          "NoSuchRoute",
          "NoSuchInstance",
          "NoSuchService",
          "MethodNotAllowed",
          "TooLarge",
          "NotJson"
        ]
      ) {
        assert.isAbove(seen.get(tag) ?? 0, 0, tag)
      }
      assert.strictEqual((yield* Rig.send({ socket }, { path: "/health" })).status, 200)
    }), 60_000)

  const post = (
    to: Rig.Rig,
    body: string | Buffer,
    headers: Http.OutgoingHttpHeaders = { "content-type": "application/json" }
  ) => Rig.send(to, { method: "POST", path: "/api/instances", headers, body })

  it.scopedLive("tells what is wrong with a body", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const told = (body: string | Buffer, headers?: Http.OutgoingHttpHeaders) =>
        Effect.map(post(rig, body, headers), ({ json, status }) => [status, json()._tag, json().message] as const)
      assert.deepStrictEqual(yield* told("{"), [400, "BadRequest", "body: this is not JSON"])
      assert.deepStrictEqual((yield* told("{}", {})).slice(0, 2), [415, "NotJson"])
      assert.deepStrictEqual(yield* told(nested(1000)), [400, "BadRequest", "body: nested deeper than 16 levels"])
      assert.deepStrictEqual((yield* told(Buffer.from([0x22, 0xff, 0x22]))).slice(0, 2), [400, "BadRequest"])
      const [, , unknown] = yield* told(`{"service":"api","ids":"x"}`)
      assert.match(unknown ?? "", /^ids: /)
      const [, , name] = yield* told(`{"service":"../x"}`)
      assert.match(name ?? "", /^service: a service's name must be/)
      assert.deepStrictEqual((yield* told("x".repeat(70_000))).slice(0, 2), [413, "TooLarge"])
      // The last of two values holds.
      assert.strictEqual((yield* post(rig, `{"service":"nope","service":"api"}`)).status, 200)
    }))

  it.scopedLive("refuses a body of 100 MB without keeping it", () =>
    Effect.gen(function*() {
      const { socket } = yield* Rig.start()
      const before = process.memoryUsage.rss()
      const chunk = Buffer.alloc(64 * 1024, 0x20)
      const status = yield* Effect.async<number, Error>((resume) => {
        const request = Http.request({
          socketPath: socket,
          method: "POST",
          path: "/api/instances",
          headers: { "content-type": "application/json" }
        }, (response) => {
          response.resume()
          resume(Effect.succeed(response.statusCode ?? 0))
        })
        request.on("error", (error) => resume(Effect.fail(error)))
        let left = 1600
        const push = (): void => {
          while (left-- > 0) if (!request.write(chunk)) return void request.once("drain", push)
          request.end()
        }
        push()
        return Effect.sync(() => request.destroy())
      })
      assert.strictEqual(status, 413)
      assert.isBelow(process.memoryUsage.rss() - before, 32 * 1024 ** 2)
    }))

  /** What comes back for bytes that need not be HTTP. */
  const raw = (socket: string, bytes: string) =>
    Effect.async<string>((resume) => {
      let text = ""
      const connection = Net.connect(socket, () => connection.end(bytes))
      connection.setEncoding("latin1")
      connection.on("data", (chunk) => text += chunk)
      connection.on("close", () => resume(Effect.succeed(text)))
      connection.on("error", () => undefined)
      return Effect.sync(() => connection.destroy())
    })

  it.scopedLive("answers what is not HTTP with JSON too", () =>
    Effect.gen(function*() {
      const { socket } = yield* Rig.start()
      const cases: ReadonlyArray<readonly [RegExp, string]> = [
        [/^HTTP\/1.1 400 /, "hello\r\n\r\n"],
        [/^HTTP\/1.1 431 /, `GET /health HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`],
        [/^HTTP\/1.1 400 /, "GET /hea\u0000lth HTTP/1.1\r\nhost: x\r\n\r\n"],
        [
          /^HTTP\/1.1 413 /,
          `GET /api/instances?x=${"y".repeat(5000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
        ],
        [/^HTTP\/1.1 404 /, "GET http://evil.test/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"],
        [/^HTTP\/1.1 404 /, "GET /api/instances/../../health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"],
        [/^HTTP\/1.1 400 /, "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n"],
        [/^HTTP\/1.1 400 /, "POST /api/instances HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"],
        [/^HTTP\/1.1 400 /, "POST /api/instances HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]
      ]
      for (const [expected, bytes] of cases) {
        const text = yield* raw(socket, bytes)
        assert.match(text, expected)
        assert.isString(JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)).message)
      }
      assert.strictEqual((yield* Rig.send({ socket }, { path: "/health" })).status, 200)
    }))

  it.scopedLive("names the methods that a path takes", () =>
    Effect.gen(function*() {
      const { socket } = yield* Rig.start()
      const answer = yield* Rig.send({ socket }, { method: "PUT", path: "/api/instances" })
      assert.strictEqual(answer.status, 405)
      assert.strictEqual(answer.headers.allow, "GET, POST")
      assert.strictEqual((yield* Rig.send({ socket }, { method: "HEAD", path: "/health" })).status, 200)
    }))
})
