import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Views from "../../src/domain/Views.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type Machine, make } from "./Machine.ts"

type Event = typeof Views.EventRecord.Encoded
type Transition = typeof Views.Transition.Encoded

const read = (machine: Machine) =>
  Effect.map(machine.api("/api/events"), ({ text }) => Http.eventsOf(text) as ReadonlyArray<Event>)

const transitions = (events: ReadonlyArray<Event>, name: string) =>
  events.filter((event): event is Transition => event._tag === "Transition" && event.instance === name)

describe("events", () => {
  it.scopedLive("are one gapless story of each instance, and it is the true one", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service(
            { ...Fx.eager, max_restarts: 4 },
            "exit=3",
            "die=SEGV",
            "exit=255",
            "sleep=0.05 die=KILL",
            "exit=7"
          ),
          missing: { command: "/no/such/program", isolation: "process", max_restarts: 0 }
        }
      })
      yield* machine.until("web", "failed")
      yield* machine.until("missing", "failed")
      const events = yield* read(machine)
      for (const [index, { seq }] of events.entries()) assert.strictEqual(seq, events[0]!.seq + index)
      for (const name of ["web:default", "missing:default"]) {
        let state = "stopped"
        for (const step of transitions(events, name)) {
          assert.strictEqual(step.from, state, `${name} #${step.seq}`)
          state = step.to
        }
        assert.strictEqual(state, "failed")
      }
      const told = transitions(events, "web:default").flatMap(({ cause, incarnation }) =>
        cause._tag === "Exited"
          ? [
            `${incarnation} ${
              cause.status.signal === null ? `exit ${cause.status.code}` : `die ${cause.status.signal.slice(3)}`
            }`
          ]
          : []
      )
      const happened = (yield* machine.truth("web")).filter(({ event }) => event === "exit" || event === "die")
        .map(({ detail, event, incarnation }) => `${incarnation} ${event} ${detail}`)
      assert.deepStrictEqual(told, happened)
      const shown = (yield* machine.describe("web")).history
      assert.deepStrictEqual(shown, transitions(events, "web:default").slice(-20))
      const why = transitions(events, "missing:default").find(({ cause }) => cause._tag === "LaunchFailed")
      assert.deepInclude(why?.cause, { _tag: "LaunchFailed", code: "ENOENT" })
    }))

  it.scopedLive("can be followed from the command line", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      const follower = yield* machine.run(["events", "-f"])
      yield* eventually("the past is shown", follower.stdout, (text) => text.includes("web:default"))
      yield* machine.stop("web")
      yield* eventually("what comes is shown", follower.stdout, (text) => text.includes("stopped"))
      // A follower does not hold the supervisor back.
      const exit = yield* machine.terminate
      assert.deepStrictEqual(exit, { code: 0, signal: null })
      yield* eventually("it waits for the next one", follower.stderr, (text) => text.includes("waiting for another"))
      yield* follower.signal("SIGINT")
      yield* follower.exited
    }))
})

describe("why", () => {
  it.scopedLive("tells what happened in words", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          crashed: Fx.service({ ...Fx.eager, max_restarts: 2 }, "err=out-of-cheese exit=42"),
          shot: Fx.service({ max_restarts: 0 }, "die=SEGV"),
          ill: Fx.service({
            max_restarts: 0,
            health: "/health",
            health_interval: "40 millis",
            health_timeout: "2s",
            readiness: "socket"
          }, "serve=503"),
          waiting: Fx.service({ depends_on: ["never"] }, ""),
          never: Fx.service({ readiness: "socket" }, ""),
          missing: { command: "/no/such/program", isolation: "process", max_restarts: 0 }
        }
      })
      for (const name of ["crashed", "shot", "ill", "missing"]) yield* machine.until(name, "failed")
      const expected: Readonly<Record<string, ReadonlyArray<RegExp>>> = {
        crashed: [/code 42/, /more than 2 within/, /out-of-cheese/],
        shot: [/SIGSEGV/],
        ill: [/503/, /3/],
        waiting: [/never/],
        missing: [/ENOENT|no such/i, /\/no\/such\/program/]
      }
      for (const [name, patterns] of Object.entries(expected)) {
        const { code, stderr, stdout } = yield* machine.cli("why", name)
        assert.strictEqual(code, 0, stderr)
        for (const pattern of patterns) assert.match(stdout, pattern)
        assert.notMatch(stdout, /undefined|null|\[object|NaN/)
      }
      assert.include((yield* machine.cli("describe", "crashed")).stdout, "out-of-cheese")
    }))
})
