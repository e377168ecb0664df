import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as http from "node:http"
import * as net from "node:net"
import * as Headers from "../../src/gateway/Headers.ts"
import * as PlainRequest from "../../src/gateway/PlainRequest.ts"

const of = (text: string) => new PlainRequest.Reader("127.0.0.1").read(Buffer.from(text, "latin1"))
const host = "Host: web.localhost\r\n"

it("a request that is more than a head is not plain", () => {
  assert.isNotNull(of(`GET /a?b HTTP/1.1\r\n${host}Connection: keep-alive\r\n\r\n`))
  const others = [
    `POST / HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.0\r\n${host}\r\n`,
    `GET http://web.localhost/ HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}`,
    `GET / HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Expect: 100-continue\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}X: a\nY: b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}X : a\r\n\r\n`,
    `GET /\x80 HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}X: ${"x".repeat(9000)}\r\n\r\n`
  ]
  for (const text of others) assert.isNull(of(text), JSON.stringify(text.slice(0, 80)))
})

const piece = FC.constantFrom(
  "GET ",
  "HEAD ",
  "/a",
  " HTTP/1.1\r\n",
  host,
  "X-One: 1\r\n",
  "X-One:2 3\r\n",
  "X-Two: \t4\xe9 \r\n",
  "x-forwarded-for: 192.0.2.7\r\n",
  "X-Forwarded-Proto: https\r\n",
  "Forwarded: for=192.0.2.7\r\n",
  "Keep-Alive: timeout=5\r\n",
  "Proxy-Authorization: x\r\n",
  "Accept: */*\r\n",
  "Connection: keep-alive\r\n",
  "Content-Length: 0\r\n",
  "\r\n",
  "\n",
  "\r",
  "\t",
  " ",
  ":",
  "\0"
)
const loose = FC.array(piece, { maxLength: 10 }).map((pieces) => pieces.join(""))
const close = FC.array(piece, { maxLength: 4 }).map((pieces) => `GET / HTTP/1.1\r\n${host}${pieces.join("")}\r\n`)

it.prop("what came before on its connection changes nothing", [
  FC.array(FC.oneof(close, FC.constant(`GET / HTTP/1.1\r\n${host}\r\n`)))
], ([texts]) => {
  const reader = new PlainRequest.Reader("127.0.0.1")
  for (const text of texts.flatMap((text) => [text, text.replace("/", "/b?c")])) {
    assert.deepStrictEqual(reader.read(Buffer.from(text, "latin1")), of(text))
  }
})

it.scopedLive("what is plain is read by Node's parser as the same request, and as one", () =>
  Effect.gen(function*() {
    const seen: Array<http.IncomingMessage> = []
    const server = yield* Effect.acquireRelease(
      Effect.async<http.Server>((resume) => {
        const server = http.createServer((request, response) => {
          seen.push(request)
          response.end()
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as net.AddressInfo
    const answer = (text: string) =>
      Effect.async<string>((resume) => {
        const connection = net.connect(port, "127.0.0.1", () => connection.write(text, "latin1"))
        connection.once("data", (chunk: Buffer) => {
          connection.destroy()
          resume(Effect.succeed(chunk.toString("latin1")))
        })
        connection.on("error", () => undefined)
      })
    let plain = 0
    for (const text of FC.sample(FC.oneof(loose, close, close), { numRuns: 600, seed: 11 })) {
      const read = of(text)
      if (read === null) continue
      plain += 1
      seen.length = 0
      assert.match(yield* answer(text), /^HTTP\/1\.1 200 /, JSON.stringify(text))
      assert.strictEqual(seen.length, 1)
      const [request] = seen
      assert.isDefined(request)
      const { headers: { host = "" }, method = "", url = "" } = request
      assert.deepInclude(read, { host, method, path: url })
      assert.strictEqual(
        read.head.replaceAll(/:[\t ]*([^\r]*?)[\t ]*\r\n/g, ": $1\r\n"),
        Headers.write(method, url, Headers.toInstance(request, host))
      )
    }
    assert.isAbove(plain, 50)
  }))
