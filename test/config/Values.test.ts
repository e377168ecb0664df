import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Durations from "../../src/config/Durations.ts"
import * as Values from "../../src/config/Values.ts"
import { longestMs } from "../../src/domain/ConfigRules.ts"

/** Written, read and written again, each value is the same one. */
const comesBack = <A, I>(schema: Schema.Schema<A, I>, value: A) => {
  assert.deepStrictEqual(Schema.decodeSync(schema)(Schema.encodeSync(schema)(value)), value)
}

describe("Values", () => {
  it("come back from the form that the file has for them", () => {
    const ms = FastCheck.integer({ min: 0, max: longestMs })
    const port = FastCheck.integer({ min: 0, max: 65_535 })
    const host = FastCheck.constantFrom("::1", "127.0.0.1", "localhost", "fe80::1")
    FastCheck.assert(
      FastCheck.property(ms, host, port, FastCheck.integer({ min: 0, max: 0o777 }), (ms, host, port, mode) => {
        comesBack(Values.seconds(), ms)
        comesBack(Values.milliseconds(), ms)
        comesBack(Values.listen, { host, port })
        comesBack(Values.listen, null)
        comesBack(Values.mode, mode)
        comesBack(Values.restarts, ms % 1000)
        comesBack(Values.restarts, Infinity)
      })
    )
  })

  it("are whole milliseconds within bounds, whatever number is written", () => {
    FastCheck.assert(FastCheck.property(FastCheck.double(), FastCheck.nat(5000), (number, min) => {
      const result = Schema.decodeEither(Values.seconds(min))(number)
      if (Either.isRight(result)) {
        assert.isTrue(Number.isInteger(result.right) && result.right >= min && result.right <= longestMs)
      } else assert.isFalse(number * 1000 >= min + 1 && number * 1000 <= longestMs)
    }))
  })

  it("read durations as sums of their parts", () => {
    const units = [["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000], ["days", 86_400_000]] as const
    const part = FastCheck.tuple(FastCheck.nat(99), FastCheck.constantFrom(...units), FastCheck.constantFrom("", " "))
    FastCheck.assert(FastCheck.property(FastCheck.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const text = parts.map(([amount, [unit], blank]) => `${amount}${blank}${unit}`).join(" ")
      const sum = parts.reduce((sum, [amount, [, ms]]) => sum + amount * ms, 0)
      assert.deepStrictEqual(Durations.parse(text), Option.some(sum))
    }))
  })

  it("are no durations without a unit, with a sign, or with one that is unknown", () => {
    for (const text of ["", "10", "-1s", "1x", "s", "1.s", "1e3s", "1s;", `${"1s".repeat(60)}`]) {
      assert.isTrue(Option.isNone(Durations.parse(text)), text)
    }
  })
})
