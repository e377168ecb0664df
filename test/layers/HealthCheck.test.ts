import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import type { Endpoint } from "../../src/layers/Endpoint.ts"
import { Unhealthy } from "../../src/layers/Errors.ts"
import * as HealthCheck from "../../src/layers/HealthCheck.ts"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import { eventually, folder, linesOf, printing, silent } from "./Harness.ts"

const open = new Set<Net.Socket>()

/** A server on a Unix socket or a port, whose every connection is given to `serve`. */
const server = (serve: (socket: Net.Socket) => void, where: "socket" | "port" = "socket") =>
  Effect.gen(function*() {
    const privatePath = `${yield* folder}/s`
    const listener = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const server = Net.createServer((socket) => {
          open.add(socket)
          socket.on("error", () => {})
          socket.once("close", () => open.delete(socket))
          serve(socket)
        })
        const ready = () => resume(Effect.succeed(server))
        if (where === "socket") server.listen(privatePath, ready)
        else server.listen(0, "127.0.0.1", ready)
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of open) socket.destroy()
        })
    )
    const bound = listener.address()
    const endpoint: Endpoint = {
      publicPath: "/nowhere/public.sock",
      privatePath,
      port: typeof bound === "object" && bound !== null ? bound.port : null
    }
    return endpoint
  })

const answering = (answer: string | Buffer) => server((socket) => void socket.once("data", () => socket.end(answer)))

const probe = (endpoint: Endpoint, layer: Layer.Layer<HealthCheck.HealthCheck>) =>
  Effect.provide(Effect.flatMap(HealthCheck.HealthCheck, (check) => Effect.either(check.probe(endpoint))), layer)

const get = (endpoint: Endpoint, timeoutMs = 5000) => probe(endpoint, HealthCheck.http({ path: "/health", timeoutMs }))

const seen: (result: Either.Either<string, Unhealthy>) => string = Either.match({
  onLeft: (error: Unhealthy) => error.detail,
  onRight: (detail) => detail
})

describe("HealthCheck", () => {
  it.scopedLive("asks as a client that keeps nothing open", () =>
    Effect.gen(function*() {
      const requests: Array<Http.IncomingMessage> = []
      const http = Http.createServer((request, response) => {
        requests.push(request)
        response.end("fine")
      })
      for (const where of ["socket", "port"] as const) {
        const endpoint = yield* server((socket) => http.emit("connection", socket), where)
        assert.deepStrictEqual(yield* get(endpoint), Either.right("GET /health: 200"))
        yield* eventually(() => open.size === 0)
      }
      for (const { headers, method, url } of requests) {
        assert.strictEqual(`${method} ${url}`, "GET /health")
        assert.strictEqual(headers.host, "localhost")
        assert.strictEqual(headers.connection, "close")
        assert.match(headers["user-agent"]!, /^tenement-health\//)
      }
      assert.strictEqual(requests.length, 2)
    }))

  it.scopedLive("2xx and 3xx are healthy, nothing else is, and what the page says is told", () =>
    Effect.gen(function*() {
      const http = (status: string, body = "") =>
        `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
      const answers: ReadonlyArray<readonly [string, boolean, string]> = [
        [http("200 OK"), true, "GET /health: 200"],
        [http("204 No Content"), true, "GET /health: 204"],
        [http("301 Moved"), true, "GET /health: 301"],
        [http("399 Odd"), true, "GET /health: 399"],
        [http("404 Not Found"), false, "GET /health: 404 Not Found"],
        [
          http("503 No", "the database\r\n\x1b[31mis\0 gone"),
          false,
          "GET /health: 503 Service Unavailable: the database [31mis gone"
        ],
        [http("500 No", "x".repeat(99_999)), false, `GET /health: 500 Internal Server Error: ${"x".repeat(80)}`],
        [http("200 OK", "x".repeat(99_999)), true, "GET /health: 200"],
        ["HTTP/1.0 200 OK\r\n\r\nuntil the end", true, "GET /health: 200"],
        ["HTTP/1.1 100 Continue\r\n\r\n" + http("200 OK"), true, "GET /health: 200"],
        [
          "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
          false,
          "GET /health: 200, and the connection broke off in its body"
        ],
        [
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
          false,
          "GET /health: 101 Switching Protocols, which nobody asked for"
        ],
        ["SSH-2.0-OpenSSH_9.2\r\n", false, "GET /health: what came back is not HTTP (HPE_INVALID_CONSTANT)"],
        ["", false, "GET /health: the connection was closed before the answer"]
      ]
      for (const [answer, healthy, detail] of answers) {
        const result = yield* get(yield* answering(answer))
        assert.strictEqual(seen(result), detail)
        assert.strictEqual(Either.isRight(result), healthy, detail)
      }
    }))

  it.scopedLive("names the error of a connection that cannot be made", () =>
    Effect.gen(function*() {
      const privatePath = `${yield* folder}/s`
      const endpoint = { publicPath: "/nowhere", privatePath, port: null }
      assert.strictEqual(seen(yield* get(endpoint)), `connect ENOENT ${privatePath}`)
      Fs.writeFileSync(privatePath, "")
      assert.strictEqual(seen(yield* get(endpoint)), `connect ECONNREFUSED ${privatePath}`)
      assert.match(seen(yield* get({ ...endpoint, privatePath: "/x".repeat(60) })), /EINVAL|ENOENT/)
      assert.match(
        seen(yield* probe(endpoint, HealthCheck.http({ path: "/a b", timeoutMs: 1000 }))),
        /^GET \/a b: /
      )
      assert.strictEqual(
        seen(yield* probe(endpoint, HealthCheck.socket({ timeoutMs: 1000 }))),
        `connect ECONNREFUSED ${privatePath}`
      )
    }))

  it.scopedLive("whatever is too slow is cut off at the deadline", () =>
    Effect.gen(function*() {
      const drip = (head: string) => (socket: Net.Socket) => {
        socket.write(head)
        const timer = setInterval(() => socket.write("x"), 5)
        socket.once("close", () => clearInterval(timer))
      }
      const slow: Record<string, (socket: Net.Socket) => void> = {
        "says nothing": () => {},
        "drips its head": drip("HTTP/1.1 200 OK\r\nX-Slow: "),
        "drips its body": drip("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"),
        "never ends its body": (socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\nsome"),
        "continues for ever": (socket) => void socket.write("HTTP/1.1 100 Continue\r\n\r\n")
      }
      for (const [what, serve] of Object.entries(slow)) {
        const endpoint = yield* server((socket) => serve(socket.resume()))
        const [took, result] = yield* Effect.timed(get(endpoint, 150))
        assert.strictEqual(seen(result), "no answer within 0.15 s", what)
        assert.isAtLeast(Duration.toMillis(took), 140, what)
        yield* eventually(() => open.size === 0)
      }
    }))

  it.scopedLive("a program that accepts nothing does not hold the probe", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const { launch } = yield* Launcher.Launcher
      const listener = `use Socket; $| = 1; socket my $s, AF_UNIX, SOCK_STREAM, 0; bind $s, sockaddr_un(shift);
        listen $s, 0; print "up\\n"; sleep 600`
      yield* launch(yield* printing(`${dir}/out`, ["perl", "-e", listener, `${dir}/s`]))
      yield* linesOf(`${dir}/out`, 1)
      const endpoint = { publicPath: "/nowhere", privatePath: `${dir}/s`, port: null }
      // The first fills the backlog, the next find it full.
      for (let n = 0; n < 3; n++) assert.isTrue(Either.isLeft(yield* get(endpoint, 100)))
    }).pipe(Effect.provide(Launcher.layer)))

  it.scopedLive("an interrupted probe hangs up", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(get(yield* server((socket) => void socket.resume()), 60_000))
      yield* eventually(() => open.size === 1)
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => open.size === 0)
    }))

  it.scopedLive("whatever bytes come back, a probe ends, and with a verdict", () =>
    Effect.gen(function*() {
      let answer = Buffer.alloc(0)
      let ends = true
      const endpoint = yield* server((socket) =>
        void socket.once("data", () => ends ? socket.end(answer) : socket.write(answer))
      )
      const fragment = FC.oneof(
        FC.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        FC.constantFrom(
          "HTTP/1.1 200 OK\r\n",
          "HTTP/1.1 503 \r\n",
          "HTTP/1.1 ",
          "\r\n",
          "\r\n\r\n",
          "Content-Length: 5\r\n",
          "Content-Length: -1\r\n",
          "Transfer-Encoding: chunked\r\n",
          "ffffffffff\r\n",
          "0\r\n\r\n",
          "Upgrade: x\r\nConnection: upgrade\r\n",
          "Set-Cookie: \x00\r\n"
        ).map((text) => Buffer.from(text))
      )
      for (const [fragments, end] of FC.sample(FC.tuple(FC.array(fragment, { maxLength: 8 }), FC.boolean()), 300)) {
        answer = Buffer.concat(fragments)
        ends = end || answer.length === 0
        const result = yield* get(endpoint, ends ? 5000 : 20)
        assert.notInclude(seen(result), "EUNKNOWN")
        if (Either.isRight(result)) assert.match(result.right, /^GET \/health: [23]\d\d$/)
      }
    }), 20_000)

  it.scopedLive("a program of one's own asks, and is killed with its tree when it takes too long", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const endpoint = { publicPath: "/nowhere", privatePath: `${dir}/s`, port: 4321 }
      const exec = (script: string, timeoutMs: number) =>
        Effect.flatMap(
          printing(`${dir}/out`, ["sh", "-c", script]),
          (spec) => probe(endpoint, Layer.provide(HealthCheck.exec({ ...spec, timeoutMs }), Launcher.layer))
        )
      assert.strictEqual(seen(yield* exec("echo $PORT; exit 0", 5000)), "sh: exit code 0")
      assert.deepStrictEqual(yield* linesOf(`${dir}/out`, 1), ["4321"])
      assert.strictEqual(seen(yield* exec("exit 2", 5000)), "sh: exit code 2")
      assert.strictEqual(seen(yield* exec("kill -9 $$", 5000)), "sh: signal SIGKILL")
      assert.strictEqual(seen(yield* exec("trap '' TERM; echo $$; sleep 600", 200)), "no answer within 0.2 s")
      const pid = Number((yield* linesOf(`${dir}/out`, 2))[1])
      yield* eventually(() => Procfs.all().every((found) => found.session !== pid || !Procfs.isLive(found)))
      const missing = yield* silent(["/no/such"])
      assert.match(
        seen(yield* probe(endpoint, Layer.provide(HealthCheck.exec({ ...missing, timeoutMs: 9 }), Launcher.layer))),
        /ENOENT/
      )
    }))

  it.effect("a check of one's own", () =>
    Effect.gen(function*() {
      const endpoint = { publicPath: "/p", privatePath: "/q", port: null }
      const path = HealthCheck.make(({ privatePath }) => Effect.succeed(privatePath))
      assert.deepStrictEqual(yield* probe(endpoint, path), Either.right("/q"))
      const asleep = HealthCheck.make(() => Effect.fail(new Unhealthy({ detail: "asleep" })))
      assert.strictEqual(seen(yield* probe(endpoint, asleep)), "asleep")
    }))

  it.effect("a check of one's own that never answers is interrupted at its deadline", () =>
    Effect.gen(function*() {
      let interrupted = false
      const never = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          interrupted = true
        }))
      const fiber = yield* Effect.fork(
        probe({ publicPath: "/p", privatePath: "/q", port: null }, HealthCheck.make(() => never))
      )
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(interrupted)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(seen(yield* Fiber.join(fiber)), "no answer within 5 s")
      assert.isTrue(interrupted)
    }))
})
