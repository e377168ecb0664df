import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { type Call, isLinearizable, type State, type Verb } from "./Linearizable.ts"
import { type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const perform = (machine: Machine, verb: Verb, id: string) => {
  switch (verb) {
    case "spawn":
      return machine.api("/api/instances", { method: "POST", body: { service: "web", id } })
    case "rm":
      return machine.api(`/api/instances/web:${id}`, { method: "DELETE" })
    default:
      return machine.ask(verb, `web:${id}`)
  }
}

const timed = (machine: Machine, verb: Verb, id: string): Effect.Effect<Call> =>
  Effect.gen(function*() {
    const from = Fx.now()
    const { status } = yield* perform(machine, verb, id)
    return { verb, from, to: Fx.now(), status }
  })

const verbs: ReadonlyArray<Verb> = ["spawn", "spawn", "start", "stop", "restart", "rm"]

describe("many clients at once", () => {
  it.scopedLive("a hundred starts of one instance are one start", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ readiness: "socket", instances: [] }, "sleep=0.1 serve=200") }
      })
      const calls = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => timed(machine, "spawn", "default"),
        { concurrency: "unbounded" }
      )
      assert.isTrue(calls.every(({ status }) => status === 200 || status === 429))
      assert.isTrue(calls.some(({ status }) => status === 200))
      assert.strictEqual((yield* machine.starts("web")).length, 1)
      assert.strictEqual((yield* machine.view("web")).state, "running")
    }))

  it.scopedLive(
    "a thousand commands by twenty clients: one process for each instance at most, and every answer true",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: { web: Fx.service({ instances: [], stop_timeout: 1, ...Fx.eager }, "") }
        })
        const ids = Array.from({ length: 20 }, (_, index) => `n${index}`)
        const random = Random.make("twenty clients")
        const choose = <A>(values: ReadonlyArray<A>) =>
          Effect.map(random.nextIntBetween(0, values.length), (at) => values[at]!)
        const history = new Map(ids.map((id) => [id, [] as Array<Call>]))
        const client = Effect.gen(function*() {
          for (let count = 0; count < 50; count++) {
            const id = yield* choose(ids)
            const verb = yield* choose(verbs)
            const call = yield* timed(machine, verb, id)
            history.get(id)!.push(call)
            assert.isBelow(call.to - call.from, 20_000, `${verb} ${id}`)
            assert.include([200, 204, 404, 409, 429], call.status, `${verb} ${id}`)
          }
        })
        yield* Effect.all(Array.from({ length: 20 }, () => client), { concurrency: "unbounded", discard: true })

        const views = yield* eventually("nothing is under way", machine.list, (views) =>
          views.every(({ state }) =>
            state === "running" || state === "stopped"
          ))
        for (const id of ids) {
          const view = views.find((view) => view.id === id)
          const last: State = view === undefined ? "absent" : view.state === "running" ? "running" : "stopped"
          assert.isTrue(
            isLinearizable(history.get(id)!, "absent", last),
            `${id} ended ${last} after ${JSON.stringify(history.get(id))}`
          )
          const alive = new Set((yield* machine.truth(`web:${id}`)).map(({ pid }) => pid).filter(Proc.isAlive))
          assert.deepStrictEqual([...alive], last === "running" ? [view!.pid!] : [])
        }
      }),
    60_000
  )

  it.scopedLive("a client that goes away does not take its command back", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ instances: [], readiness: "socket" }, "await=go serve=200") }
      })
      const impatient = machine.api("/api/instances", { method: "POST", body: { service: "web" } })
      yield* Effect.timeoutOption(impatient, "300 millis")
      yield* machine.untilTruth("it was started", "web", (entries) => entries.length > 0)
      yield* machine.touch("go")
      yield* machine.until("web", "running")
    }))
})
