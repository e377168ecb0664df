import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Client from "../../src/control/Client.ts"
import * as Rig from "./Rig.ts"

/** A server whose end the test decides, and a client that outlives it. */
const rig = Effect.gen(function*() {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const started = yield* Scope.extend(Rig.start(), scope)
  return { ...started, client: yield* Client.make(started.socket), close: Scope.close(scope, Exit.void) }
})

describe("when the server goes down", () => {
  it.scopedLive("streams without an end are ended, and say why", () =>
    Effect.gen(function*() {
      const { client, close, fake, socket } = yield* rig
      const follow = () => Effect.fork(Effect.flip(Stream.runDrain(client.events({ follow: true }))))
      const followers = yield* Effect.all([follow(), follow(), follow()])
      const first = yield* Deferred.make<void>()
      const logs = yield* Effect.fork(Effect.flip(
        Stream.runForEach(client.logs({ follow: true }), () => Deferred.succeed(first, undefined))
      ))
      yield* fake.following.await
      yield* Deferred.await(first)
      // Far below what the server would wait for an answer that is under way.
      assert.isTrue(Option.isSome(yield* Effect.timeoutOption(close, "1500 millis")), "the server hangs")
      for (const follower of [...followers, logs]) {
        assert.strictEqual((yield* Fiber.join(follower))._tag, "ShuttingDown")
      }
      assert.isFalse(Fs.existsSync(socket))
    }))

  const connect = (to: Net.NetConnectOpts, text: string) =>
    Effect.acquireRelease(
      Effect.async<Net.Socket>((resume) => {
        const connection = Net.connect(to, () => {
          if (text === "") resume(Effect.succeed(connection))
          else connection.write(text, () => resume(Effect.succeed(connection)))
        })
        connection.on("error", () => undefined)
        connection.resume()
      }),
      (connection) => Effect.sync(() => connection.destroy())
    )
  const http = (...lines: ReadonlyArray<string>) =>
    ["", "host: localhost", "", ""].toSpliced(0, 1, ...lines).join("\r\n")

  it.scopedLive("connections that are kept for later do not hold it up", () =>
    Effect.gen(function*() {
      const { close, fake, port, socket } = yield* rig
      for (const to of [{ path: socket }, { port, host: "127.0.0.1" }]) {
        yield* connect(to, "")
        yield* connect(to, http("GET /health HTTP/1.1"))
      }
      yield* connect({ path: socket }, http("GET /api/events?follow=true HTTP/1.1"))
      yield* fake.following.await
      assert.isTrue(Option.isSome(yield* Effect.timeoutOption(close, "1500 millis")), "the server hangs")
    }))

  it.scopedLive("requests that do not come to their end are given up", () =>
    Effect.gen(function*() {
      const { close, port, socket } = yield* rig
      for (const to of [{ path: socket }, { port, host: "127.0.0.1" }]) {
        yield* connect(to, http("POST /api/instances HTTP/1.1", "content-length: 10"))
      }
      assert.isTrue(Option.isSome(yield* Effect.timeoutOption(close, "8 seconds")), "the server hangs")
    }))

  it.scopedLive("a client that goes away takes its stream along", () =>
    Effect.gen(function*() {
      const { client, fake } = yield* rig
      const follower = yield* Effect.fork(Stream.runDrain(client.events({ follow: true })))
      yield* fake.following.await
      yield* Fiber.interrupt(follower)
      yield* fake.abandoned.await
    }))
})

describe("the client", () => {
  it.scopedLive("tells apart why there is no answer", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      const failure = (socket: string) =>
        Effect.scoped(Effect.flatMap(Client.make(socket), ({ instances }) => Effect.flip(instances.list({}))))
      const none = yield* failure(`${dir}/none.sock`)
      assert.strictEqual(none._tag, "NoSupervisor")
      assert.include(none.message, "no supervisor is running")
      const file = `${dir}/file`
      const elsewhere = Client.make(`${dir}/none.sock`, [`${dir}/none.sock`, `${dir}/neither`, file])
      Fs.writeFileSync(file, "")
      assert.strictEqual((yield* failure(file))._tag, "NoSupervisor")
      const { message } = yield* Effect.scoped(
        Effect.flatMap(elsewhere, ({ instances }) => Effect.flip(instances.list({})))
      )
      assert.strictEqual(
        message,
        `no supervisor is running: there is no ${dir}/none.sock; there is ${file}, of one that was started in another way`
      )

      const answer = (text: string) =>
        Effect.gen(function*() {
          const socket = `${dir}/${text.length}.sock`
          yield* Effect.acquireRelease(
            Effect.async<Net.Server>((resume) => {
              const server = Net.createServer((connection) => void connection.once("data", () => connection.end(text)))
              server.listen(socket, () => resume(Effect.succeed(server)))
            }),
            (server) => Effect.sync(() => server.close())
          )
          return yield* failure(socket)
        })
      const http = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
      assert.strictEqual((yield* answer(""))._tag, "ConnectionLost")
      assert.strictEqual((yield* answer(`${http}content-length: 100\r\n\r\n[`))._tag, "ConnectionLost")
      assert.strictEqual((yield* answer(`${http}\r\n{"a":1}`))._tag, "UnexpectedAnswer")
      assert.strictEqual((yield* answer(`${http}\r\n<html>`))._tag, "UnexpectedAnswer")
      assert.strictEqual((yield* answer("SSH-2.0-OpenSSH\r\n"))._tag, "UnexpectedAnswer")
    }))

  it.scopedLive("reports a stream that was cut off", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      const socket = `${dir}/t.sock`
      const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
      yield* Effect.acquireRelease(
        Effect.async<Net.Server>((resume) => {
          const server = Net.createServer((connection) =>
            void connection.once("data", () => connection.end(`${head}3\r\n:\n\n\r\n`))
          )
          server.listen(socket, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const client = yield* Client.make(socket)
      const cut = yield* Effect.flip(Stream.runDrain(client.events({ follow: true })))
      assert.strictEqual(cut._tag, "ConnectionLost")
    }))
})
