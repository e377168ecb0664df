import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Option from "effect/Option"
import * as AccessLog from "../../src/domain/AccessLog.ts"

const good: AccessLog.Line = {
  service: "tenement-web",
  upstream: "unix:/run/web.sock",
  status: "200",
  seconds: "0.012",
  bytes: "120",
  connected: "0.000",
  answered: "0.010"
}

const bytes = (text: string) => new TextEncoder().encode(text)
const datagram = (line: object, head = "<190>Nov 30 10:50:50 tenement: ") => bytes(`${head}${JSON.stringify(line)}`)

describe("a line of nginx's log", () => {
  it("is read as nginx sends it, with its host or without", () => {
    for (
      const head of [
        "<190>Nov 30 10:50:50 tenement: ",
        "<190>Nov  3 10:50:50 web-1.example.com tenement: ",
        "<13>Jan  1 00:00:00 nginx: "
      ]
    ) assert.deepStrictEqual(AccessLog.parse(datagram(good, head)), Option.some(good))
  })

  it("is nothing else, whatever comes", () => {
    FC.assert(
      FC.property(
        FC.oneof(FC.uint8Array({ maxLength: 300 }), FC.string().map(bytes), FC.json().map(bytes)),
        (any) => assert.isTrue(Option.isNone(AccessLog.parse(any)))
      )
    )
    FC.assert(FC.property(FC.object(), (any) => assert.isTrue(Option.isNone(AccessLog.parse(datagram(any))))))
    assert.isTrue(Option.isNone(AccessLog.parse(datagram({ ...good, bytes: "1".repeat(9000) }))))
    for (const key of Object.keys(good)) {
      assert.isTrue(Option.isNone(AccessLog.parse(datagram({ ...good, [key]: 1 }))))
      assert.isTrue(Option.isNone(AccessLog.parse(datagram({ ...good, [key]: undefined }))))
    }
  })

  const served = (line: Partial<AccessLog.Line>) =>
    Option.map(
      AccessLog.served({ ...good, ...line }),
      ({ address, code, kind, seconds }) => ({ address, code, kind, seconds })
    )

  it.each<readonly [string, Partial<AccessLog.Line>, number, AccessLog.Served["kind"]]>([
    ["an answer", {}, 200, null],
    ["an answer that is an error", { status: "502" }, 502, null],
    [
      "a second try",
      { upstream: "unix:/a, unix:/run/web.sock", connected: "-, 0.000", answered: "-, 0.001" },
      200,
      null
    ],
    [
      "another location",
      { upstream: "unix:/a : unix:/run/web.sock", connected: "0.000 : -", answered: "0.000 : -", status: "502" },
      502,
      "connect"
    ],
    ["no connection", { status: "502", connected: "-", answered: "-" }, 502, "connect"],
    ["no answer", { status: "502", answered: "-" }, 502, "broken-off"],
    ["no answer in time", { status: "504", answered: "-" }, 504, "timeout"],
    ["a client that left", { status: "499", answered: "-" }, 499, "client-left"],
    ["what is not HTTP", { status: "009" }, 502, "bad-answer"],
    ["nginx's own answer", { status: "413", answered: "-" }, 413, null]
  ])(
    "%s",
    (_, line, code, kind) =>
      assert.deepStrictEqual(served(line), Option.some({ address: "unix:/run/web.sock", code, kind, seconds: 0.012 }))
  )

  it("of an upgrade, only the time until it was agreed to counts", () =>
    assert.strictEqual(Option.getOrThrow(served({ status: "101", seconds: "86400.000" })).seconds, 0.01))

  it("has numbers that can be counted, or is none", () => {
    for (const seconds of ["", "-", "-1.000", "1e9", "NaN", "Infinity", "1", "0.0001", "9".repeat(400)]) {
      assert.isTrue(Option.isNone(served({ seconds })), seconds)
    }
    for (const status of ["", "2000", "20", "abc", "-20"]) assert.isTrue(Option.isNone(served({ status })), status)
  })

  it("gives only codes and times that there are", () =>
    FC.assert(FC.property(FC.record({ status: FC.string(), seconds: FC.string(), answered: FC.string() }), (line) => {
      const found = served(line)
      if (Option.isNone(found)) return
      assert.isTrue(found.value.code >= 100 && found.value.code < 600 || found.value.kind !== null)
      assert.isTrue(Number.isFinite(found.value.seconds) && found.value.seconds >= 0)
    })))
})
