import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as fs from "node:fs"
import * as net from "node:net"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { connection, gateway, raw, upstream } from "./Gateway.ts"

/** Resident, in kilobytes. */
const memoryOf = (pid: number | undefined) =>
  Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

const left = (json: unknown) => (json as { readonly left: number }).left

interface Head {
  readonly name: string
  readonly url: string
  readonly raw: ReadonlyArray<string>
}

const fields = ({ raw }: Head, name: string) =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name)

describe("routes", () => {
  it.scopedLive("go by host and path, to sockets and ports, and leave the supervisor its own", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* gateway({
        service: {
          web: upstream({ instances: ["default", "blue"] }),
          api: upstream({ port: "auto" }),
          idle: upstream({ instances: [] })
        },
        routing: { subdomain: { shop: "web" }, path: { "/v1": "api" } }
      })
      const name = (host: string, path: string) =>
        Effect.map(ask(host, path), ({ json, status }) => status === 200 ? (json as Head).name : String(status))
      assert.strictEqual(yield* name("blue.web.example.test", "/"), "web:blue")
      assert.strictEqual(yield* name("API.example.test:80", "/health"), "api:default")
      assert.match(yield* name("shop.example.test", "/"), /^web:/)
      assert.strictEqual(yield* name("example.test", "/v1/things"), "api:default")
      assert.strictEqual(yield* name("green.web.example.test", "/"), "404")
      assert.strictEqual(yield* name("nobody.example.test", "/"), "404")
      assert.strictEqual(yield* name("evil.test", "/"), "403")
      assert.strictEqual(yield* name("example.test", "/v2"), "404")
      assert.strictEqual((yield* ask("example.test", "/api/instances")).status, 401)
      assert.include((yield* ask("127.0.0.1", "/health")).text, String(machine.supervisor.pid))

      const seen = new Set<string>()
      for (let turn = 0; turn < 60; turn++) seen.add(yield* name("web.example.test", "/"))
      assert.deepStrictEqual([...seen].sort(), ["web:blue", "web:default"])

      const sleeping = yield* ask("idle.example.test", "/")
      assert.strictEqual(sleeping.status, 503)
      assert.isDefined(sleeping.headers["retry-after"])
      assert.include(sleeping.text, "it has no instance")
      yield* machine.stop("web")
      for (let turn = 0; turn < 20; turn++) assert.strictEqual(yield* name("web.example.test", "/"), "web:blue")
      const stopped = yield* ask("default.web.example.test", "/")
      assert.strictEqual(stopped.status, 503)
      assert.include(stopped.text, "it is stopped")

      const { text } = yield* machine.api("/metrics")
      assert.match(text, /tenement_requests_total\{service="web",instance="web:blue",code="2xx"\} \d+/)
      assert.include(text, "tenement_errors_total{service=\"idle\",kind=\"not-ready\"} 1")
      assert.match(text, /tenement_request_seconds_count\{service="api"\} 2/)
    }))

  it.scopedLive("follow the file when it is read again", () =>
    Effect.gen(function*() {
      const web = upstream()
      const { ask, machine } = yield* gateway({ service: { web } })
      const pid = (yield* machine.view("web")).pid
      assert.strictEqual((yield* ask("other.test", "/")).status, 403)
      const { socket } = machine
      const settings = { listen: "127.0.0.1:0", domain: "example.test", socket }
      yield* machine.write({ settings, service: { web }, routing: { default: "web" } })
      const reloaded = yield* machine.cli("reload")
      assert.strictEqual(reloaded.code, 0, reloaded.stderr)
      assert.include(reloaded.stdout, "routing")
      assert.strictEqual((yield* ask("other.test", "/")).status, 200)
      assert.strictEqual((yield* machine.view("web")).pid, pid)
    }))
})

describe("messages", () => {
  it.scopedLive("cross without what is the connection's, in both directions, and say who asked", () =>
    Effect.gen(function*() {
      const { ask } = yield* gateway({ service: { web: upstream() } })
      const answer = yield* ask("web.example.test", "/head?q=%2e%2e", {
        headers: {
          connection: "close, x-mine, authorization, host",
          "x-mine": "1",
          "keep-alive": "timeout=5",
          "proxy-authorization": "Basic eA==",
          te: "gzip",
          authorization: "Bearer x",
          "x-forwarded-for": "192.0.2.7",
          forwarded: "for=192.0.2.7"
        }
      })
      const head = answer.json as Head
      assert.strictEqual(head.url, "/head?q=%2e%2e")
      for (const gone of ["x-mine", "keep-alive", "proxy-authorization", "te"]) {
        assert.deepStrictEqual(fields(head, gone), [], gone)
      }
      assert.deepStrictEqual(fields(head, "authorization"), ["Bearer x"])
      assert.deepStrictEqual(fields(head, "host"), ["web.example.test"])
      assert.deepStrictEqual(fields(head, "x-forwarded-for"), ["192.0.2.7, 127.0.0.1"])
      assert.deepStrictEqual(fields(head, "x-forwarded-host"), ["web.example.test"])
      assert.deepStrictEqual(fields(head, "forwarded"), [
        "for=192.0.2.7, for=127.0.0.1;host=\"web.example.test\";proto=http"
      ])
      assert.deepStrictEqual(answer.headers["set-cookie"], ["a=1", "b=2"])
      assert.isUndefined(answer.headers["x-private"])
    }))

  it.scopedLive(
    "stream both ways before either has ended, and hold back who is too quick",
    () =>
      Effect.gen(function*() {
        const { ask, machine, port } = yield* gateway({ service: { web: upstream() } })
        const echo = yield* connection(port)
        echo.socket.write(
          "POST /echo HTTP/1.1\r\nHost: web.example.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
        )
        yield* echo.until("one")
        echo.socket.write("3\r\ntwo\r\n0\r\n\r\n")
        yield* echo.until("two")

        const events = yield* connection(port)
        events.socket.write("GET /wait HTTP/1.1\r\nHost: web.example.test\r\n\r\n")
        yield* events.until("data: 1")
        events.socket.destroy()
        yield* eventually(
          "the service sees that the client left",
          ask("web.example.test", "/left"),
          ({ json }) => left(json) === 1
        )

        const slow = yield* connection(port)
        slow.socket.pause()
        slow.socket.write("GET /big?1000000000 HTTP/1.1\r\nHost: web.example.test\r\n\r\n")
        const whole = yield* ask("web.example.test", "/big?20000000")
        assert.strictEqual(whole.text.length, 20_000_000)
        const status = fs.readFileSync(`/proc/${machine.supervisor.pid}/status`, "utf8")
        assert.isBelow(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]), 300_000)
        slow.socket.destroy()
        const { text } = yield* eventually(
          "what was left is counted",
          machine.api("/metrics"),
          ({ text }) => text.includes("tenement_errors_total{service=\"web\",kind=\"client-left\"} 2")
        )
        assert.include(text, "instance=\"web:default\",code=\"4xx\"} 2")
      }),
    { timeout: 60_000 }
  )

  it.scopedLive("change the protocol where both want to, and pass on a refusal", () =>
    Effect.gen(function*() {
      const { ask, port } = yield* gateway({ service: { web: upstream() } })
      const asking = (protocol: string, more = "") =>
        `GET /ws HTTP/1.1\r\nHost: web.example.test\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n${more}`
      const tunnel = yield* connection(port)
      tunnel.socket.write(asking("echo", "early"))
      yield* tunnel.until("101 Switching Protocols")
      yield* tunnel.until("helloearly")
      tunnel.socket.write("later")
      yield* tunnel.until("later")
      tunnel.socket.pause()
      tunnel.socket.write("x".repeat(20_000_000))
      tunnel.socket.end("last")
      yield* ask("web.example.test", "/left")
      tunnel.socket.resume()
      yield* tunnel.until("last")
      yield* tunnel.ended

      const refused = yield* raw(port, asking("chess"))
      assert.match(refused, /^HTTP\/1\.1 418 /)
      assert.match(refused, /\r\n\r\nno$/)
      assert.match(yield* raw(port, asking("h2c")), /^HTTP\/1\.1 200 /)
      assert.strictEqual((yield* ask("web.example.test", "/unasked")).status, 502)
    }))

  it.scopedLive("that a service does not answer are answered in its place", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* gateway({
        service: {
          web: upstream(),
          gone: Fx.service({ instances: ["default"] }, ""),
          dying: upstream({ ...Fx.eager, restart: "always" })
        }
      })
      assert.strictEqual((yield* ask("gone.example.test", "/")).status, 502)
      assert.strictEqual((yield* ask("web.example.test", "/nonsense")).status, 502)
      const broken = yield* Effect.exit(Effect.sandbox(ask("web.example.test", "/break")))
      assert.strictEqual(broken._tag, "Failure")
      // Sent once: what it did before it died is not known.
      const runs = (yield* machine.describe("dying")).incarnation
      const died = yield* ask("dying.example.test", "/die", { method: "POST", raw: "x" })
      assert.strictEqual(died.status, 502)
      yield* eventually("it runs again", machine.describe("dying"), ({ incarnation, instance }) =>
        incarnation > runs && instance.state === "running")
      assert.strictEqual((yield* machine.describe("dying")).incarnation, runs + 1)
      const { text } = yield* machine.api("/metrics")
      assert.include(text, "tenement_errors_total{service=\"gone\",kind=\"connect\"} 1")
      assert.include(text, "tenement_errors_total{service=\"web\",kind=\"bad-answer\"} 1")
      assert.include(text, "tenement_errors_total{service=\"web\",kind=\"broken-off\"} 1")
    }))
})

describe("what is not HTTP", () => {
  const host = "Host: web.example.test\r\n"
  const ambiguous: ReadonlyArray<string> = [
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled`,
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    `POST / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\nx`,
    `POST / HTTP/1.1\r\n${host}Content-Length: 0x1\r\n\r\nx`,
    `POST / HTTP/1.1\r\n${host}Content-Length: \r\n\r\nx`,
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Host: other.example.test\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}X: a\r\n b: c\r\n\r\n`,
    `GET / HTTP/1.1\n${host}\n`,
    `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}NoColon\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}: empty\r\n\r\n`,
    `GET / HTTP/1.32\r\n${host}\r\n`,
    `GET /a b HTTP/1.1\r\n${host}\r\n`,
    `GET nonsense HTTP/1.1\r\n${host}\r\n`
  ]

  it.scopedLive("is refused, no byte of it reaches a service, and the next request is served", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* gateway({ service: { web: upstream() } })
      for (const bytes of ambiguous) {
        const answer = yield* raw(port, bytes)
        assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(bytes))
        assert.strictEqual(answer.match(/HTTP\/1\.1 /g)?.length, 1, JSON.stringify(bytes))
        assert.strictEqual((yield* ask("web.example.test", "/")).status, 200)
      }
      const large = `GET / HTTP/1.1\r\n${host}X: ${"x".repeat(20_000)}\r\n\r\n`
      assert.match(yield* raw(port, large), /^HTTP\/1\.1 431 /)
      const many = `GET / HTTP/1.1\r\n${host}${"a:\r\n".repeat(3000)}\r\n`
      assert.match(yield* raw(port, many), /^HTTP\/1\.1 431 /)
      const { text } = yield* machine.api("/metrics")
      assert.notInclude(text, "tenement_requests_total{service=\"web\",instance=\"web:default\",code=\"4xx\"}")
    }))

  const piece = FC.constantFrom(
    "GET ",
    "POST ",
    "/echo",
    "/head",
    "/break",
    "/nonsense",
    "http://web.example.test/",
    " HTTP/1.1\r\n",
    "Host: web.example.test\r\n",
    "Host: example.test\r\n",
    "Connection: Upgrade\r\nUpgrade: echo\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "abc",
    "\n",
    "\0",
    ":",
    "é"
  )
  const whole = FC.tuple(
    FC.constantFrom("GET", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"),
    FC.constantFrom("/echo", "/head", "/nonsense", "/break", "*", "//", "/%00", "/../.."),
    FC.array(piece, { maxLength: 4 })
  ).map(([method, target, rest]) => `${method} ${target} HTTP/1.1\r\nHost: web.example.test\r\n${rest.join("")}\r\n`)
  const request = FC.oneof(whole, FC.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")), FC.string())

  it.scopedLive("and whatever looks like it, ends nothing and leaves nothing behind", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* gateway({ service: { web: upstream() } })
      const count = Number(process.env["TENEMENT_FUZZ"] ?? 2000)
      const descriptors = () => fs.readdirSync(`/proc/${machine.supervisor.pid}/fd`).length
      yield* ask("web.example.test", "/")
      const before = descriptors()
      const bytes = FC.sample(request, { numRuns: count, seed: 7 })
      yield* Effect.forEach(bytes, (bytes) => raw(port, bytes), { concurrency: 16, discard: true })
      const answer = yield* ask("web.example.test", "/head")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual((yield* machine.view("web")).restarts, 0)
      assert.notInclude(yield* machine.supervisor.stderr, "defect")
      yield* eventually("the descriptors are as before", Effect.sync(descriptors), (now) => now <= before + 1)
    }), { timeout: 120_000 + Number(process.env["TENEMENT_FUZZ"] ?? 0) * 20 })
})

it.scopedLive("clients that leave, and tunnels that are closed, leave nothing behind", () =>
  Effect.gen(function*() {
    const { ask, machine, port } = yield* gateway({ service: { web: upstream() } })
    const count = Number(process.env["TENEMENT_LEAVERS"] ?? 500)
    const descriptors = () => fs.readdirSync(`/proc/${machine.supervisor.pid}/fd`).length
    const memory = () => memoryOf(machine.supervisor.pid)
    yield* ask("web.example.test", "/head")
    const before = descriptors()
    const host = "Host: web.example.test\r\n"
    const leaveOnceIn = (bytes: string) =>
      Effect.async<void>((resume) => {
        const socket = net.connect(port, "127.0.0.1", () => void socket.write(bytes))
        socket.once("data", () => socket.destroy())
        socket.on("error", () => undefined)
        socket.once("close", () => resume(Effect.void))
        return Effect.sync(() => socket.destroy())
      })
    const bytes = [
      `GET /wait HTTP/1.1\r\n${host}\r\n`,
      `GET /wait HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
      `GET /big?1000000 HTTP/1.1\r\n${host}\r\n`,
      `POST /echo HTTP/1.1\r\n${host}Content-Length: 9\r\n\r\nabc`
    ]
    const leave = (count: number) =>
      Effect.forEach(
        Array.from({ length: count }),
        (_, index) => leaveOnceIn(bytes[index % bytes.length] ?? ""),
        { concurrency: 16, discard: true }
      )
    yield* leave(200)
    const used = memory()
    yield* leave(count)
    const tunnel = `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`
    yield* Effect.forEach(
      Array.from({ length: 200 }),
      () =>
        Effect.gen(function*() {
          const { socket, until } = yield* connection(port)
          socket.write(tunnel)
          yield* until("hello")
        }),
      { concurrency: 16, discard: true }
    ).pipe(Effect.scoped)
    yield* eventually(
      "the service sees that all have left",
      ask("web.example.test", "/left"),
      ({ json }) => left(json) >= (200 + count) * 3 / 4
    )
    // Idle connections to the service are kept for some seconds.
    yield* eventually("the descriptors are as before", Effect.sync(descriptors), (now) => now <= before + 2)
    assert.isBelow(memory() - used, 64 * 1024, "kilobytes")
    if (count > 500) console.log(`${count} clients left: ${memory() - used} kB more`)
    assert.notInclude(yield* machine.supervisor.stderr, "level=ERROR")
  }), { timeout: 120_000 + Number(process.env["TENEMENT_LEAVERS"] ?? 0) * 30 })

it.scopedLive("a client that leaves takes all that it has asked for with it", () =>
  Effect.gen(function*() {
    const { machine, port } = yield* gateway({ service: { web: upstream() } })
    const client = yield* connection(port)
    client.socket.write("GET /wait HTTP/1.1\r\nHost: web.example.test\r\nContent-Length: 0\r\n\r\n".repeat(2))
    yield* client.until("data: 1")
    client.socket.destroy()
    yield* eventually(
      "both are counted",
      machine.api("/metrics"),
      ({ text }) => text.includes("tenement_errors_total{service=\"web\",kind=\"client-left\"} 2")
    )
  }))

it.scopedLive("a connection that nobody uses is closed", () =>
  Effect.gen(function*() {
    const { port } = yield* gateway({ service: { web: upstream() } })
    for (const more of ["", "Content-Length: 0\r\n"]) {
      const { ended, socket, until } = yield* connection(port)
      socket.write(`GET /left HTTP/1.1\r\nHost: web.example.test\r\n${more}\r\n`)
      yield* until("\r\n\r\n")
      yield* ended
    }
  }))

it.scopedLive(
  "a body is as quick as the slower of the two, and is held by nobody between them",
  () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* gateway({ service: { web: upstream() } })
      const size = Number(process.env["TENEMENT_BODY"] ?? 40_000_000)
      const piece = Buffer.alloc(1_000_000)
      yield* ask("web.example.test", "/head")
      const before = memoryOf(machine.supervisor.pid)
      let most = 0
      const look = () => most = Math.max(most, memoryOf(machine.supervisor.pid) - before)

      const client = yield* connection(port)
      let sent = 0
      const send = () => {
        look()
        while (sent < size) {
          sent += piece.length
          if (!client.socket.write(piece)) return
        }
      }
      client.socket.on("drain", send)
      client.socket.write(`POST /sip HTTP/1.1\r\nHost: web.example.test\r\nContent-Length: ${size}\r\n\r\n`)
      send()
      yield* eventually(
        "the service has the first of it",
        ask("web.example.test", "/left"),
        ({ json }) => (json as { readonly bodies: number }).bodies > 0
      )
      assert.isBelow(sent, size)
      yield* ask("web.example.test", "/drink")
      yield* eventually(
        "all of it has come",
        Effect.sync(() => client.text()),
        (text) => text.endsWith(`\r\n\r\n${size}`),
        "4 minutes"
      )

      const reader = yield* connection(port)
      reader.socket.pause()
      reader.socket.write(`GET /big?${size} HTTP/1.1\r\nHost: web.example.test\r\nConnection: close\r\n\r\n`)
      yield* ask("web.example.test", "/big?1000000")
      look()
      reader.socket.removeAllListeners("data").on("data", look).resume()
      yield* eventually(
        "all of it has been read",
        Effect.sync(() => reader.socket.readableEnded),
        Boolean,
        "4 minutes"
      )
      assert.isAbove(reader.socket.bytesRead, size)
      assert.isBelow(most, 64 * 1024, "kilobytes")
      if (size > 1e9) console.log(`${size} bytes each way: ${most} kB more`)
    }),
  { timeout: 600_000 }
)

it.scopedLive("clients that never finish their request are in nobody's way", () =>
  Effect.gen(function*() {
    const { ask, port } = yield* gateway({ service: { web: upstream() } })
    const count = Number(process.env["TENEMENT_SLOW"] ?? 300)
    /** What the slowest of each hundred takes. */
    const turns = Effect.map(
      Effect.forEach(Array.from({ length: count > 300 ? 1000 : 20 }), () =>
        Effect.gen(function*() {
          const begun = performance.now()
          assert.strictEqual((yield* ask("web.example.test", "/head")).status, 200)
          return performance.now() - begun
        })),
      (took) => took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? 0
    )
    const alone = yield* turns
    const slow = yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.tap(connection(port), ({ socket }) => Effect.sync(() => socket.write("GET /")))
    )
    // Each says one more letter from time to time, until it is told that it is too slow.
    const timer = setInterval(() => {
      for (const { socket } of slow) socket.write("x")
    }, 1000)
    yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
    const beside = yield* turns
    if (count > 300) {
      console.log(`p99 of a request: ${alone.toFixed(1)} ms, beside ${count} slow clients ${beside.toFixed(1)} ms`)
    }
    yield* eventually(
      "all are told",
      Effect.sync(() => slow.filter(({ text }) => text().startsWith("HTTP/1.1 408 ")).length),
      (told) => told === slow.length,
      "1 minute"
    )
  }), { timeout: 120_000 })

it.scopedLive("a service that refuses a body early is heard by who is still sending it", () =>
  Effect.gen(function*() {
    const { port } = yield* gateway({ service: { web: upstream() } })
    const client = yield* connection(port)
    client.socket.write("POST /full HTTP/1.1\r\nHost: web.example.test\r\nContent-Length: 9000000\r\n\r\n")
    client.socket.write(Buffer.alloc(3_000_000))
    yield* client.until("HTTP/1.1 413 ")
    yield* client.ended
  }))
