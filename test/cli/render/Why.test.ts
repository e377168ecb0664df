import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Describe from "../../../src/cli/render/Describe.ts"
import * as Palette from "../../../src/cli/render/Palette.ts"
import * as Why from "../../../src/cli/render/Why.ts"
import { Description } from "../../../src/domain/Views.ts"
import { at, description, history, instance, now } from "./views.ts"

const options = { now, room: null, palette: Palette.plain }

const why = (it: Description): string => Why.lines(it, options).join("\n")

const boot = { _tag: "Boot" } as const
const ready = { _tag: "Ready", by: "GET /health: 200", afterMs: 120 } as const
const crash = { _tag: "Exited", status: { code: 3, signal: null }, reason: "exited", forced: false } as const

describe("why", () => {
  it("tells a crash loop that was given up", () => {
    const story = history(
      [60, "stopped", "starting", boot],
      [59, "starting", "healthy", ready],
      [30, "healthy", "backoff", crash],
      [29, "backoff", "starting", { _tag: "BackoffElapsed", attempt: 0, afterMs: 1000 }],
      [20, "starting", "backoff", crash],
      [20, "backoff", "failed", { _tag: "IntensityExceeded", restarts: 1, windowMs: 300_000 }]
    )
    const printed = {
      seq: 7,
      at: at(21),
      instance: "api:prod",
      stream: "stderr" as const,
      incarnation: 2,
      text: "no \u001b[31mdatabase\u0007"
    }
    assert.strictEqual(
      why(description(instance("failed"), story, { lastWords: [printed] })),
      `api:prod has failed and was given up at 11:59:40 (20 s ago), because one more restart would be more than 1 within 5 min (max_restarts).

Before that, newest first
  11:59:40  backoff, for 0 ms: it exited with code 3
  11:59:31  starting, for 9 s: the delay of 1 s before restart 1 in a row was over
  11:59:30  backoff, for 1 s: it exited with code 3
  11:59:01  healthy, for 29 s: it became ready after 120 ms (GET /health: 200)
  11:59:00  starting, for 1 s: the supervisor started, and the file lists it

The last that run 1 printed, which failed
  ! no ^[[31mdatabase^G

What happens next
  Nothing, until somebody starts it; a reload or a new supervisor does not.
  \`tenement logs api:prod -n 50\` shows what it printed. Mend the cause, then \`tenement start api:prod\`.`
    )
  })

  it("tells when a restart comes, and what is left", () => {
    const told = why(
      description(instance("backoff", { nextStartAt: at(-4) }), history([2, "running", "backoff", crash]))
    )
    assert.include(told, "api:prod is waiting to be started again since 11:59:58 (2 s), because it exited with code 3.")
    assert.include(
      told,
      "It will be started again at 12:00:04, in 4 s; 2 of 3 automatic restarts within 5 min are used up."
    )
    assert.include(told, "`tenement restart api:prod` starts it at once")
  })

  it("tells which services it waits for", () => {
    const waiting = description(instance("starting"), history([2, "stopped", "starting", boot]), {
      dependsOn: ["db", "cache"],
      waitingFor: ["db", "cache"]
    })
    assert.include(why(waiting), "It is started as soon as db and cache are ready.")
  })

  it("goes back to the last wish of a person, and no further", () => {
    const story = history(
      [90, "stopped", "starting", boot],
      [80, "starting", "running", ready],
      [30, "running", "stopping", { _tag: "Person", verb: "restart" }],
      [29, "stopping", "starting", { _tag: "Person", verb: "restart" }],
      [28, "starting", "running", ready]
    )
    assert.notInclude(why(description(instance("running"), story)), "file lists it")
  })

  it("has something to say of everything, on one screen line each, that no service can bend", () => {
    const printable = /^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$/
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Description), (it) => {
        for (const lines of [Why.lines(it, options), Describe.lines(it, options)]) {
          assert.isAbove(lines.length, 1)
          for (const line of lines) assert.match(line, printable)
        }
      }),
      { numRuns: 200 }
    )
  })
})
