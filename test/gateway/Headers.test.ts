import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as AnswerHead from "../../src/gateway/AnswerHead.ts"
import * as Fields from "../../src/gateway/Fields.ts"
import * as Headers from "../../src/gateway/Headers.ts"

const name = FC.oneof(
  FC.constantFrom(
    "Connection",
    "keep-alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Proxy-Connection",
    "proxy-anything",
    "Host",
    "Content-Length",
    "Authorization",
    "Cookie"
  ),
  FC.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,9}$/)
)
const option = FC.constantFrom("close", "x-one", "X-Two", "host", "Content-Length", "authorization", "cookie", "", " ")
const field = name.chain((name) =>
  FC.tuple(
    FC.constant(name),
    name === "Connection" ? FC.array(option, { maxLength: 3 }).map((names) => names.join(", ")) : FC.string()
  )
)
const raw = FC.array(FC.oneof(field, FC.tuple(FC.constantFrom("X-One", "x-two"), FC.string()))).map((all) => all.flat())

const namesOf = (raw: Fields.Raw) => raw.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())

describe("what crosses", () => {
  it.prop("is nothing that belongs to one connection", [raw], ([raw]) => {
    const listed = raw.flatMap((value, index) =>
      index % 2 === 1 && raw[index - 1]?.toLowerCase() === "connection" ? value.toLowerCase().split(/,\s*/) : []
    )
    for (const name of namesOf(Headers.endToEnd(raw))) {
      assert.notMatch(name, /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*)$/)
      if (name.startsWith("x-")) assert.notInclude(listed, name)
    }
  })

  it.prop("is in order, each value with its name, and passing it on again changes nothing", [raw], ([raw]) => {
    const once = Headers.endToEnd(raw)
    assert.deepStrictEqual(Headers.endToEnd(once), once)
    let at = 0
    for (let index = 0; index < raw.length; index += 2) {
      if (raw[index] === once[at] && raw[index + 1] === once[at + 1]) at += 2
    }
    assert.strictEqual(at, once.length)
  })

  it.prop("is all without which the message would be another", [raw], ([raw]) => {
    const essential = new Set(["host", "content-length", "authorization", "cookie"])
    const kept = (raw: Fields.Raw) => namesOf(raw).filter((name) => essential.has(name))
    assert.deepStrictEqual(kept(Headers.endToEnd(raw)), kept(raw))
  })

  const printable = FC.array(FC.tuple(name, FC.stringMatching(/^([!-~](.*[!-~])?)?$/))).map((all) => all.flat())
  it.prop("is the same of lines as of names and values", [printable, FC.nat(3)], ([raw, start]) => {
    const lines = Fields.write(raw)
    assert.isTrue(Fields.areValid(lines))
    assert.deepStrictEqual(Fields.read(lines), raw)
    const bytes = Buffer.from(`${"-".repeat(start)}HTTP/1.1 200 OK\r\n${lines}\r\nbody`, "latin1")
    const head = AnswerHead.of(bytes, start, bytes.length - "body".length)
    // What frames the body is judged elsewhere.
    if (!namesOf(raw).some((name) => name === "content-length" || name === "transfer-encoding")) assert.isNotNull(head)
    if (head !== null) assert.strictEqual(head.fields, Fields.write(Headers.endToEnd(raw)))
  })

  const bytes = FC.array(FC.constantFrom("A", "-", ":", " ", "\t", "\r", "\n", "\r\n", "\0", "\x7f", "\xff", "(")).map((
    all
  ) => all.join(""))
  it.prop("is lines that are valid, and nothing else", [bytes], ([lines]) => {
    const all = Buffer.from(`HTTP/1.1 200 OK\r\n${lines}\r\n`, "latin1")
    assert.strictEqual(AnswerHead.of(all, 0, all.length) !== null, Fields.areValid(lines))
  })
})
