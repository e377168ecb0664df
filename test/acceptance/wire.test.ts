import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "./Eventually.ts"
import { connection, gateway, raw, wire } from "./Gateway.ts"

const host = "Host: web.example.test\r\n"

/** The answer to bytes on a connection that stays open, once it has ended like this. */
const asking = (port: number, bytes: string, end: string) =>
  Effect.scoped(Effect.gen(function*() {
    const { socket, until } = yield* connection(port)
    socket.write(bytes, "latin1")
    return yield* until(end)
  }))

/** A path whose answer is these bytes. */
const answering = (bytes: string) => `/?${encodeURIComponent(bytes)}`

const head = (bytes: string) => bytes.slice(0, bytes.indexOf("\r\n\r\n") + 2)

const values = (bytes: string, name: string): ReadonlyArray<string> =>
  [...head(bytes).matchAll(new RegExp(`^${name}:[\\t ]*(.*)\\r$`, "gim"))].map(([, value = ""]) => value)

/** What belongs to one connection, `Connection` itself aside. */
const hopByHop = [
  "Keep-Alive: timeout=5",
  "Proxy-Authorization: Basic eA==",
  "Proxy-Authenticate: Basic",
  "Proxy-Connection: keep-alive",
  "Proxy-Anything: 1",
  "TE: trailers, gzip",
  "Trailer: X-Sum",
  "X-Mine: 1",
  "X-Other: 2"
]
const lines = (all: ReadonlyArray<string>) => all.map((line) => `${line}\r\n`).join("")
const names = hopByHop.map((line) => line.slice(0, line.indexOf(":")))

describe("on the wire", () => {
  // A head alone, and what Node's server reads: a body, and a connection that closes.
  const asked = {
    "a plain request": `GET / HTTP/1.1\r\n${host}Authorization: Bearer x\r\nX-Kept: \xe9\r\n` +
      "Keep-Alive: timeout=5\r\nProxy-Authorization: x\r\nConnection: keep-alive\r\n\r\n",
    "any other": `POST / HTTP/1.1\r\n${host}Authorization: Bearer x\r\nX-Kept: \xe9\r\nContent-Length: 3\r\n` +
      `Connection: close, X-Mine, keep-alive\r\nconnection: x-other, Content-Length, Host, authorization\r\n` +
      `${lines(hopByHop)}\r\nabc`,
    "one with pieces": `POST / HTTP/1.1\r\n${host}Authorization: Bearer x\r\nX-Kept: \xe9\r\n` +
      `Transfer-Encoding: chunked\r\nConnection: close, Transfer-Encoding, X-Mine, X-Other\r\n${lines(hopByHop)}\r\n` +
      "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
  }
  for (const [what, bytes] of Object.entries(asked)) {
    it.scopedLive(`${what} has nothing that belongs to its connection, and all else`, () =>
      Effect.gen(function*() {
        const { port, wired } = yield* gateway({ service: { web: wire } })
        assert.match(yield* asking(port, bytes, "\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/)
        const whole = { "a plain request": "", "any other": "abc", "one with pieces": "3\r\nabc\r\n0\r\n\r\n" }
        // The service answers to the head: the body may be under way still.
        const got = yield* eventually("all has come", wired, (got) =>
          got.endsWith(`\r\n\r\n${whole[what as keyof typeof whole]}`))
        for (const name of [...names, "Connection"]) {
          assert.deepStrictEqual(values(got, name), [], name)
        }
        assert.deepStrictEqual(values(got, "Host"), ["web.example.test"])
        assert.deepStrictEqual(values(got, "Authorization"), ["Bearer x"])
        assert.deepStrictEqual(values(got, "X-Kept"), ["\xe9"])
        assert.deepStrictEqual(values(got, "Via"), ["1.1 tenement"])
        assert.deepStrictEqual(values(got, "Content-Length"), what === "any other" ? ["3"] : [])
        assert.deepStrictEqual(values(got, "Transfer-Encoding"), what === "one with pieces" ? ["chunked"] : [])
        const body = got.slice(got.indexOf("\r\n\r\n") + 4)
        assert.strictEqual(body, whole[what as keyof typeof whole])
      }))
  }

  it.scopedLive("an answer has nothing that belongs to its connection, and all else", () =>
    Effect.gen(function*() {
      const { port } = yield* gateway({ service: { web: wire } })
      const kept = "Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Kept:\xe9\r\n"
      const own =
        "Connection: close, X-Mine, Set-Cookie\r\nconnection: x-other, Content-Length, Transfer-Encoding\r\n" +
        `${lines(hopByHop)}Upgrade: echo\r\n`
      const sized = answering(`HTTP/1.1 200 Fine\r\n${own}${kept}Content-Length: 3\r\n\r\nabc`)
      const chunked = answering(
        `HTTP/1.1 200 Fine\r\n${own}${kept}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
      )
      const asks = ["", "Connection: close\r\n"].flatMap((more) =>
        [sized, chunked].map((path) => [path, `GET ${path} HTTP/1.1\r\n${host}${more}\r\n`] as const)
      )
      for (const [path, bytes] of asks) {
        const answer = yield* asking(port, bytes, path === sized ? "\r\n\r\nabc" : "0\r\n\r\n")
        assert.match(answer, /^HTTP\/1\.1 200 Fine\r\n/)
        for (const name of [...names, "Upgrade"].filter((name) => name !== "Keep-Alive")) {
          assert.deepStrictEqual(values(answer, name), [], name)
        }
        // Those are the gateway's own.
        assert.notMatch(values(answer, "Connection").join(), /x-/i)
        assert.deepStrictEqual(values(answer, "Set-Cookie"), ["a=1", "b=2"])
        assert.deepStrictEqual(values(answer, "X-Kept"), ["\xe9"])
        assert.deepStrictEqual(values(answer, "Content-Length"), path === sized ? ["3"] : [])
        assert.deepStrictEqual(values(answer, "Transfer-Encoding"), path === sized ? [] : ["chunked"])
        assert.match(answer, path === sized ? /\r\n\r\nabc$/ : /\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/)
      }
    }))

  it.scopedLive("who asked is told, and who has come back too often goes no further", () =>
    Effect.gen(function*() {
      const { port, wired } = yield* gateway({ service: { web: wire } })
      const said = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n" +
        "Forwarded: for=192.0.2.7\r\n"
      for (const more of ["", "Via: 1.0 fred\r\nConnection: close\r\n"]) {
        const before = (yield* wired).length
        yield* asking(port, `GET / HTTP/1.1\r\n${host}${said}${more}\r\n`, "\r\n\r\n")
        const got = (yield* wired).slice(before)
        assert.deepStrictEqual(values(got, "X-Forwarded-For"), ["192.0.2.7, 127.0.0.1"])
        assert.deepStrictEqual(values(got, "X-Forwarded-Proto"), ["https"])
        assert.deepStrictEqual(values(got, "X-Forwarded-Host"), ["shop.test"])
        assert.deepStrictEqual(values(got, "Forwarded"), [
          "for=192.0.2.7, for=127.0.0.1;host=\"web.example.test\";proto=http"
        ])
        assert.deepStrictEqual(values(got, "Via"), [more === "" ? "1.1 tenement" : "1.0 fred, 1.1 tenement"])
      }
      const before = yield* wired
      const passed = Array.from({ length: 5 }, () => "1.1 tenement").join(", ")
      assert.match(yield* raw(port, `GET / HTTP/1.1\r\n${host}Via: ${passed}\r\n\r\n`), /^HTTP\/1\.1 508 /)
      assert.strictEqual(yield* wired, before)
    }))

  it.scopedLive("a change of the protocol is asked for as it came", () =>
    Effect.gen(function*() {
      const { port, wired } = yield* gateway({ service: { web: wire } })
      const path = answering(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
      )
      const answer = yield* raw(
        port,
        `GET ${path} HTTP/1.1\r\n${host}Origin: http://shop.test\r\nSec-WebSocket-Key: eA==\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\n\r\nearly"
      )
      assert.match(answer, /^HTTP\/1\.1 101 [^]*\r\n\r\nhello$/)
      const got = yield* wired
      assert.deepStrictEqual(values(got, "Host"), ["web.example.test"])
      assert.deepStrictEqual(values(got, "Origin"), ["http://shop.test"])
      assert.deepStrictEqual(values(got, "Sec-WebSocket-Key"), ["eA=="])
      assert.deepStrictEqual(values(got, "Connection"), ["Upgrade"])
      assert.deepStrictEqual(values(got, "Upgrade"), ["websocket"])
      assert.match(got, /\r\n\r\nearly$/)
    }))
})

describe("what could be read in two ways", () => {
  const post = (fields: string, body = "") => `POST / HTTP/1.1\r\n${host}${fields}\r\n${body}`
  const get = (fields: string) => `GET / HTTP/1.1\r\n${host}${fields}\r\n`
  const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body)
  const heads: ReadonlyArray<string> = [
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
    ...["+1", "1Z", "0x1", "-1", "", "1, 1", "1 1", "\v1"].map((length) => post(`Content-Length: ${length}\r\n`, "x")),
    ...["xchunked", "chunked, gzip", "gzip, chunked", "\vchunked", "chunked\v", "chunked, chunked", ""].map((coding) =>
      post(`Transfer-Encoding: ${coding}\r\n`, "0\r\n\r\n")
    ),
    post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    get("Host: other.example.test\r\n"),
    get("X: a\r\n b: c\r\n"),
    get("X: a\rY: b\r\n"),
    get("X: a\nY: b\r\n"),
    get("X: a\0b\r\n"),
    get("NoColon\r\n"),
    get(": empty\r\n"),
    `GET / HTTP/1.1\n${host}\n`,
    `GET / HTTP/1.32\r\n${host}\r\n`,
    `GET /a b HTTP/1.1\r\n${host}\r\n`,
    `GET nonsense HTTP/1.1\r\n${host}\r\n`
  ]
  const bodies = ["0x1\r\na", "0_2e\r\na", "-0\r\n", "12345678901234567\r\na", "1;\na\r\n", "1\ra", "1\r\nab"]
    .map((piece) => chunked(`${piece}\r\n0\r\n\r\n`))

  it.scopedLive("is refused, and no byte of what follows it reaches a service", () =>
    Effect.gen(function*() {
      const { ask, port, wired } = yield* gateway({ service: { web: wire } })
      for (const bytes of [...heads, ...bodies]) {
        const what = JSON.stringify(bytes)
        const before = (yield* wired).length
        const answer = yield* raw(port, Buffer.from(`${bytes}GET /smuggled HTTP/1.1\r\n${host}\r\n`, "latin1"))
        assert.match(answer, /^HTTP\/1\.1 400 /, what)
        assert.strictEqual(answer.match(/HTTP\/1\.1 /g)?.length, 1, what)
        const got = (yield* wired).slice(before)
        assert.notInclude(got, "smuggled", what)
        if (heads.includes(bytes)) assert.strictEqual(got, "", what)
        assert.strictEqual((yield* ask("web.example.test", "/")).status, 200, what)
      }
    }), { timeout: 60_000 })
})
