import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { AnswerReader } from "../../src/gateway/AnswerReader.ts"
import * as Fields from "../../src/gateway/Fields.ts"

/** What is told of these bytes, however they come. */
const read = (pieces: ReadonlyArray<Buffer>, isHead = false) => {
  const told = {
    status: 0,
    raw: [] as ReadonlyArray<string>,
    body: "",
    ended: false,
    understood: true,
    staysOpen: false
  }
  const reader = new AnswerReader({
    head: ({ fields, status }) => Object.assign(told, { raw: Fields.read(fields), status }),
    data: (chunk) => told.body += chunk.toString("latin1"),
    end: (last) => {
      told.body += last?.toString("latin1") ?? ""
      told.ended = true
    }
  })
  reader.expect(isHead)
  for (const piece of pieces) {
    if (told.understood) told.understood = reader.read(piece)
  }
  if (told.understood) reader.close()
  told.staysOpen = reader.staysOpen
  return told
}

const cut = (text: string, at: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const bytes = Buffer.from(text, "latin1")
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length))
}

const body = FC.stringMatching(/^[a-z\r\n]{0,30}$/)
const chunked = (parts: ReadonlyArray<string>) =>
  parts.filter((part) => part !== "").map((part) => `${part.length.toString(16)};x=y\r\n${part}\r\n`).join("") +
  "0\r\nX-Sum: 1\r\n\r\n"

describe("an answer", () => {
  it.prop("is the same in whatever pieces it comes", [FC.array(body), FC.constantFrom(0, 1, 2), FC.array(FC.nat())], (
    [parts, framing, at]
  ) => {
    const whole = parts.join("")
    const text = "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-One:  a b \r\n" +
      (framing === 0
        ? `Content-Length: ${whole.length}\r\n\r\n${whole}`
        : framing === 1
        ? `Transfer-Encoding: chunked\r\n\r\n${chunked(parts)}`
        : `\r\n${whole}`)
    const told = read(cut(text, at))
    assert.isTrue(told.understood)
    assert.isTrue(told.ended)
    assert.strictEqual(told.status, 200)
    assert.strictEqual(told.body, whole)
    assert.deepStrictEqual(told.raw.slice(0, 2), ["X-One", "a b"])
    assert.strictEqual(told.staysOpen, framing !== 2)
  })

  it("to HEAD has no body, and neither have 204 and 304", () => {
    const told = read([Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")], true)
    assert.isTrue(told.ended)
    for (const status of [204, 304]) {
      assert.isTrue(read([Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`)]).ended)
    }
  })

  const ok = "HTTP/1.1 200 OK\r\n"
  const wrong = [
    "what?\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: no\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
    `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${ok}Content-Length: +1\r\n\r\nx`,
    `${ok}Content-Length: \r\n\r\n`,
    `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `${ok}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`,
    `${ok}Transfer-Encoding: chunked\r\n\r\n12345678901234567\r\n`,
    `${ok}X: a\r\n b\r\n\r\n`,
    `${ok}X: a\0b\r\n\r\n`,
    `${ok}X: a\nY: b\r\n\r\n`,
    `${ok}X: a\rY: b\r\n\r\n`,
    `${ok}NoColon\r\n\r\n`,
    `${ok}: empty\r\n\r\n`,
    `${ok}X: ${"x".repeat(70_000)}\r\n\r\n`,
    `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${ok}Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n`
  ]
  it("that can be read in two ways is not read, in whatever pieces it comes", () => {
    for (const text of wrong) {
      const bytes = Buffer.from(text, "latin1")
      assert.isFalse(read([bytes]).understood, JSON.stringify(text.slice(0, 100)))
      const single = Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1))
      if (bytes.length < 1000) assert.isFalse(read(single).understood, JSON.stringify(text))
    }
  })

  it("that stops in the middle is not whole", () => {
    for (
      const text of ["HTTP/1.1 2", `${ok}Content-Length: 2\r\n\r\na`, `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\na`]
    ) {
      assert.isFalse(read([Buffer.from(text)]).ended, text)
    }
  })
})
