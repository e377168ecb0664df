import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Progress from "../../src/cli/Progress.ts"
import * as Palette from "../../src/cli/render/Palette.ts"
import { type Output, Session } from "../../src/cli/Session.ts"
import { InstanceName } from "../../src/domain/Names.ts"
import { description, instance } from "./render/views.ts"

const name = InstanceName.make("api:prod")
const waiting = description(instance("starting"), [], { dependsOn: ["db"], waitingFor: ["db"] })

const session = (columns: number | null) => {
  const written: Array<string> = []
  const output: Output = {
    columns: () => columns,
    rows: () => 24,
    palette: Palette.plain,
    write: (text) => Effect.sync(() => void written.push(String(text)))
  }
  const globals = { config: undefined, socket: undefined, json: false, noColor: true }
  return { written, service: { globals, out: output, err: output } }
}

/** What is left on the screen's line after all that was written. */
const screen = (written: ReadonlyArray<string>): string => written.join("").split("\r\u001b[K").at(-1) ?? ""

const during = (columns: number | null) =>
  Effect.gen(function*() {
    const { service, written } = session(columns)
    const fiber = yield* Progress.during(Effect.sleep("3 seconds"), new Set([name]), () => Effect.succeed(waiting))
      .pipe(
        Effect.provideService(Session, service),
        Effect.fork
      )
    yield* TestClock.adjust("2800 millis")
    const shown = screen(written)
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(fiber)
    return { shown, left: screen(written) }
  })

describe("Progress", () => {
  it.effect("tells a person what is waited for, and leaves nothing behind", () =>
    Effect.map(during(80), (seen) => {
      assert.deepStrictEqual(seen, { shown: "api:prod: starting, waiting for db (2s)", left: "" })
    }))

  it.effect("tells a pipe nothing", () =>
    Effect.map(during(null), (seen) => {
      assert.deepStrictEqual(seen, { shown: "", left: "" })
    }))

  it("never wraps, which could not be erased", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 60 }),
        FastCheck.string(),
        FastCheck.nat(),
        (columns, how, ms) => {
          assert.isBelow(Palette.width(Progress.line([name, name], how, ms, columns)), columns)
        }
      )
    )
  })
})
