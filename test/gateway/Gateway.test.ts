import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as OpenRequests from "../../src/actors/OpenRequests.ts"
import { Tenement } from "../../src/actors/Tenement.ts"
import { defaultId, instanceName, ServiceName } from "../../src/domain/Names.ts"
import * as Embed from "../../src/embed.ts"
import type { Patience } from "../../src/gateway/Connection.ts"
import * as Gateway from "../../src/gateway/Gateway.ts"
import type { Answered } from "../../src/layers/Metrics.ts"
import * as FakeTenement from "../control/FakeTenement.ts"

const web = ServiceName.make("web")

const listening = (server: net.Server, where: net.ListenOptions) =>
  Effect.acquireRelease(
    Effect.async<net.Server>((resume) => void server.listen(where, () => resume(Effect.succeed(server)))),
    (server) => Effect.sync(() => void server.close())
  )

/** A gateway in front of a service that does with each connection what the test says. */
const front = (service: (socket: net.Socket, connection: number) => void, patience: Patience) =>
  Effect.gen(function*() {
    const dir = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "tenement-gateway-"))),
      (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
    )
    let connections = 0
    const sockets = new Set<net.Socket>()
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    const privatePath = path.join(dir, "s")
    yield* listening(
      net.createServer((socket) => {
        sockets.add(socket.on("error", () => undefined))
        service(socket, ++connections)
      }),
      { path: privatePath }
    )
    const answered: Array<Answered> = []
    const refused: Array<string> = []
    const requests = yield* OpenRequests.make
    const { tenement } = yield* FakeTenement.make
    const endpoint = { publicPath: path.join(dir, "public"), privatePath, port: null }
    const config = {
      ...FakeTenement.config,
      services: new Map([[web, Embed.service({ name: web, command: "web" })]])
    }
    const tree = Tenement.of({
      ...tenement,
      traffic: {
        ...tenement.traffic,
        config: () => config,
        backends: () => [{
          instance: instanceName(web, defaultId),
          state: "running",
          weight: 100,
          config: Embed.service({ name: web, command: "web" }),
          comes: false,
          run: { incarnation: 1, endpoint, requests }
        }],
        answered: (one) => answered.push(one),
        refused: (_, kind) => refused.push(kind)
      }
    })
    const listeners = yield* Gateway.make({ own: ["localhost"], patience }).pipe(
      Effect.provide(Layer.succeed(Tenement, tree))
    )
    const { connection, hold, request, upgrade } = listeners((_, response) => response.end("own"))
    const server = http.createServer(request).on("upgrade", upgrade)
    const [toNode] = server.listeners("connection")
    server.removeAllListeners("connection")
      .on("connection", (socket) => connection(socket, (socket) => toNode?.call(server, socket)))
    yield* listening(server, { host: "127.0.0.1", port: 0 })
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    const { port } = server.address() as net.AddressInfo
    return { port, answered, hold, refused, requests, connections: () => connections }
  })

/** Sends these bytes, and gives what has come back when the other side closes. */
const raw = (port: number, bytes: string) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket = net.connect(port, "127.0.0.1", () => void socket.write(bytes))
    socket.on("data", (chunk) => text += chunk.toString("latin1"))
    socket.on("error", () => undefined)
    socket.once("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  })

const head = (method: string, more = "") =>
  `${method} / HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n${more}\r\n`

const long = 60_000

describe("a service that", () => {
  it.scopedLive("says nothing is given up", () =>
    Effect.gen(function*() {
      const { answered, connections, port, refused } = yield* front(() => undefined, { answerMs: 50, bodyMs: long })
      assert.match(yield* raw(port, head("GET")), /^HTTP\/1\.1 504 /)
      assert.deepStrictEqual(refused, ["timeout"])
      assert.deepStrictEqual(answered.map(({ code }) => code), [504])
      assert.strictEqual(connections(), 1)
    }))

  it.scopedLive("says nothing more once it has begun to answer may do so", () =>
    Effect.gen(function*() {
      const { port } = yield* front((socket) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
          // Twice as long as it may take to begin.
          setTimeout(() => socket.write("b"), 200)
        })
      }, { answerMs: 100, bodyMs: long })
      assert.match(yield* raw(port, head("GET")), /\r\n\r\nab$/)
    }))

  it.scopedLive("hangs up is asked again for what may be done twice, and for nothing else", () =>
    Effect.gen(function*() {
      const { connections, port } = yield* front(
        (socket, connection) =>
          void socket.once("data", () =>
            connection % 2 === 1
              ? socket.destroy()
              : socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1")),
        {
          answerMs: long,
          bodyMs: long
        }
      )
      assert.match(yield* raw(port, head("GET")), /^HTTP\/1\.1 200 /)
      assert.strictEqual(connections(), 2)
      assert.match(yield* raw(port, head("POST", "Content-Length: 0\r\n")), /^HTTP\/1\.1 502 /)
      assert.strictEqual(connections(), 3)
    }))
})

it.scopedLive("a client that stops in the middle of its body is given up, and so is its request", () =>
  Effect.gen(function*() {
    const left = yield* Deferred.make<void>()
    const { answered, port } = yield* front((socket) => {
      socket.once("close", () => Deferred.unsafeDone(left, Effect.void))
      socket.resume()
    }, { answerMs: long, bodyMs: 50 })
    assert.match(yield* raw(port, head("POST", "Content-Length: 9\r\n") + "abc"), /^HTTP\/1\.1 408 /)
    yield* Deferred.await(left)
    assert.deepStrictEqual(answered.map(({ code }) => code), [408])
  }))

describe("a request is open", () => {
  const open = (port: number, bytes: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const socket = net.connect(port, "127.0.0.1", () => void socket.write(bytes))
        return socket.on("error", () => undefined)
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
  const reply = (socket: net.Socket) =>
    Effect.async<string>((resume) => void socket.once("data", (data) => resume(Effect.succeed(data.toString()))))

  it.scopedLive("from when it is sent until its answer is over", () =>
    Effect.gen(function*() {
      const { port, requests } = yield* front((socket) => {
        socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"))
      }, { answerMs: long, bodyMs: long })
      const begun = requests.lastAt
      const clients = yield* Effect.all([open(port, head("GET")), open(port, head("POST", "Content-Length: 0\r\n"))])
      for (const client of clients) assert.match(yield* reply(client), /^HTTP\/1\.1 200 /)
      assert.strictEqual(requests.open, 2)
      assert.isAbove(requests.lastAt, begun)
      for (const client of clients) client.destroy()
      yield* OpenRequests.none(requests)
      assert.strictEqual(requests.open, 0)
    }))

  it.scopedLive("until its tunnel is closed", () =>
    Effect.gen(function*() {
      const { port, requests } = yield* front((socket) => {
        socket.once("data", () => socket.write("HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
      }, { answerMs: long, bodyMs: long })
      const client = yield* open(
        port,
        "GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
      )
      assert.match(yield* reply(client), /^HTTP\/1\.1 101 /)
      assert.strictEqual(requests.open, 1)
      client.destroy()
      yield* OpenRequests.none(requests)
    }))

  it.scopedLive("once, however often it is tried", () =>
    Effect.gen(function*() {
      const { port, requests } = yield* front((socket) => void socket.once("data", () => socket.destroy()), {
        answerMs: long,
        bodyMs: long
      })
      assert.match(yield* raw(port, head("GET")), /^HTTP\/1\.1 502 /)
      yield* OpenRequests.none(requests)
      assert.strictEqual(requests.open, 0)
    }))
})

describe("on a connection that stays open", () => {
  /** Sends one after the other, each when what was sent before has brought its mark. */
  const talk = (port: number, turns: ReadonlyArray<readonly [bytes: string, mark: string]>) =>
    Effect.async<string>((resume) => {
      let text = ""
      let turn = 0
      let seen = 0
      const socket = net.connect(port, "127.0.0.1", () => void socket.write(turns[0]?.[0] ?? ""))
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
        for (;;) {
          const mark = turns[turn]?.[1] ?? ""
          const at = text.indexOf(mark, seen)
          if (at < 0) return
          seen = at + mark.length
          turn += 1
          const next = turns[turn]
          if (next === undefined) {
            socket.destroy()
            return resume(Effect.succeed(text))
          }
          socket.write(next[0])
        }
      })
      socket.on("error", () => undefined)
      return Effect.sync(() => socket.destroy())
    })

  const plain = (path: string, method = "GET") => `${method} ${path} HTTP/1.1\r\nHost: web.localhost\r\n\r\n`
  const patient = { answerMs: long, bodyMs: long }

  /** Answers each head with its path, in pieces. */
  const telling = (socket: net.Socket) =>
    void socket.on("data", (chunk) => {
      for (const [, path = ""] of chunk.toString("latin1").matchAll(/^[A-Z]+ (\/\S*) HTTP/gm)) {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        setImmediate(() => socket.write(`${path.length.toString(16)}\r\n${path}\r\n0\r\n\r\n`))
      }
    })

  it.scopedLive("requests may be plain or not, in any order, and come before the answer", () =>
    Effect.gen(function*() {
      const { answered, port } = yield* front(telling, patient)
      const post = "POST /c HTTP/1.1\r\nHost: web.localhost\r\nContent-Length: 2\r\n\r\nhi"
      const text = yield* talk(port, [
        [plain("/a"), "0\r\n\r\n"],
        [plain("/b"), "0\r\n\r\n"],
        [post, "0\r\n\r\n"],
        [plain("/d") + plain("/e"), "/e"]
      ])
      const paths = [...text.matchAll(/\r\n(\/[a-e])\r\n/g)].map(([, path]) => path)
      assert.deepStrictEqual(paths, ["/a", "/b", "/c", "/d", "/e"])
      assert.isAtLeast(answered.length, 4)
      assert.isTrue(answered.every(({ code }) => code === 200))
    }))

  it.scopedLive("the next request waits for the answer to the one before", () =>
    Effect.gen(function*() {
      const { connections, port } = yield* front((socket) =>
        void socket.on("data", () =>
          setTimeout(() =>
            socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 20)), patient)
      const text = yield* Effect.async<string>((resume) => {
        let text = ""
        const socket = net.connect(port, "127.0.0.1", () => {
          socket.write(plain("/a"))
          setTimeout(() =>
            socket.write(plain("/b")), 5)
        })
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1")
          if (text.split("\r\n\r\nok").length === 3) {
            socket.destroy()
            resume(Effect.succeed(text))
          }
        })
      })
      assert.strictEqual(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
      assert.strictEqual(connections(), 1)
    }))

  it.scopedLive("the connections to a service are counted as long as they are open", () =>
    Effect.gen(function*() {
      const { connections, port, requests } = yield* front((socket) =>
        void socket.on("data", (chunk) => {
          const isLast = chunk.includes(" /last ")
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${isLast ? "Connection: close\r\n" : ""}\r\nok`)
          if (isLast) socket.end()
        }), patient)
      const ask = (path: string) => talk(port, [[plain(path), "\r\n\r\nok"]])
      yield* ask("/")
      yield* ask("/")
      assert.deepStrictEqual([connections(), requests.connections], [1, 1])
      yield* ask("/last")
      yield* ask("/")
      assert.deepStrictEqual([connections(), requests.connections], [2, 1])
      assert.strictEqual(requests.open, 0)
    }))

  it.scopedLive("it is given away with nothing read of the next request, when none is under way", () =>
    Effect.gen(function*() {
      let answer = () => {}
      const asked = yield* Deferred.make<void>()
      const { hold, port } = yield* front((socket) =>
        void socket.on("data", (chunk) => {
          const reply = () => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
          if (!chunk.includes(" /slow ")) return reply()
          answer = reply
          Deferred.unsafeDone(asked, Effect.void)
        }), patient)
      const client = () =>
        Effect.acquireRelease(
          Effect.async<net.Socket>((resume) => {
            const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
          }),
          (socket) => Effect.sync(() => void socket.destroy())
        )
      const send = (socket: net.Socket, bytes: string) =>
        Effect.async<void>((resume) => void socket.write(bytes, () => resume(Effect.void)))
      const heard = (socket: net.Socket) =>
        Effect.async<string>((resume) => void socket.once("data", (data) => resume(Effect.succeed(data.toString()))))
      const [fresh, idle, busy] = yield* Effect.all([client(), client(), client()])
      yield* send(idle, plain("/"))
      yield* heard(idle)
      yield* send(busy, plain("/slow"))
      yield* Deferred.await(asked)

      const kept: Array<net.Socket> = []
      hold((socket) => void kept.push(socket))
      yield* Effect.addFinalizer(() => Effect.sync(() => kept.forEach((socket) => socket.destroy())))
      const ports = () => kept.map(({ remotePort }) => remotePort)
      assert.sameMembers(ports(), [fresh.localPort, idle.localPort])
      answer()
      assert.match(yield* heard(busy), /^HTTP\/1\.1 200 OK\r\n/)
      assert.sameMembers(ports(), [fresh.localPort, idle.localPort, busy.localPort])

      const read = kept.map(({ bytesRead }) => bytesRead)
      yield* Effect.forEach([fresh, idle, busy], (socket) => send(socket, plain("/next")))
      // By the time that this is answered, the others would have been read.
      yield* talk(port, [[plain("/"), "\r\n\r\nok"]])
      assert.deepStrictEqual(kept.slice(0, read.length).map(({ bytesRead }) => bytesRead), read)
    }))

  it.scopedLive("a client that leaves ends its request at the service, and is counted", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      const { answered, port, refused } = yield* front((socket) => {
        socket.once("data", () => Deferred.unsafeDone(asked, Effect.void))
        socket.once("close", () => Deferred.unsafeDone(left, Effect.void))
      }, patient)
      const client = net.connect(port, "127.0.0.1", () => void client.write(plain("/")))
      yield* Deferred.await(asked)
      client.destroy()
      yield* Deferred.await(left)
      assert.deepStrictEqual(answered.map(({ code }) => code), [499])
      assert.deepStrictEqual(refused, ["client-left"])
    }))

  it.scopedLive("a service that says nothing, hangs up or breaks off is told of, and the connection goes on if it can", () =>
    Effect.gen(function*() {
      const { answered, connections, port, refused } = yield* front((socket) =>
        void socket.on("data", (chunk) => {
          const text = chunk.toString("latin1")
          if (text.includes(" /gone ")) return void socket.destroy()
          if (text.includes(" /odd ")) socket.write("what?\r\n\r\n")
          if (text.includes(" /ok ")) socket.write("HTTP/1.1 204 No Content\r\n\r\n")
        }), { answerMs: 100, bodyMs: long })
      const text = yield* talk(port, [
        [plain("/nothing"), "nothing for 0.1 s\n"],
        [plain("/odd"), "not HTTP\n"],
        [plain("/gone"), "before it answered\n"],
        [plain("/ok", "HEAD"), "204 No Content"]
      ])
      assert.deepStrictEqual(text.match(/(?<=HTTP\/1\.1 )\d+/g)?.slice(), ["504", "502", "502", "204"])
      assert.deepStrictEqual(refused, ["timeout", "bad-answer", "broken-off"])
      assert.deepStrictEqual(answered.map(({ code }) => code), [504, 502, 502, 204])
      // A GET that nothing came back to is asked again: three times in all.
      assert.strictEqual(connections(), 6)
    }))
})
