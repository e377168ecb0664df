import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ReadinessRegistry from "../../src/actors/ReadinessRegistry.ts"
import { initial, type InstanceState } from "../../src/domain/InstanceState.ts"
import { InstanceName, ServiceName } from "../../src/domain/Names.ts"
import { Simulation } from "../../src/testkit/Simulation.ts"

const at = { mono: 0, wall: 0 }
const state = (phase: InstanceState["phase"]): InstanceState => ({ ...initial, phase })
const run = { pid: 1, since: at }
const standings = {
  ready: [state({ _tag: "Up", run, failures: 0 }), state({ _tag: "Completed" })],
  coming: [
    state({ _tag: "Launching" }),
    state({ _tag: "Starting", run, detail: "" }),
    state({ _tag: "Backoff", until: null, delayMs: 0 }),
    state({ _tag: "Waiting", services: [] })
  ],
  asleep: [state({ _tag: "Sleeping" })],
  down: [state({ _tag: "Stopped" }), state({ _tag: "Failed", cause: { _tag: "Boot" } })]
} as const
type Standing = keyof typeof standings

const services = ["db", "cache"].map((name) => ServiceName.make(name))
const instances = services.flatMap((name) => ["one", "two"].map((id) => InstanceName.make(`${name}:${id}`)))

const by = InstanceName.make("web:default")

const standing = FC.constantFrom<Array<Standing>>("ready", "coming", "asleep", "down")
const change = FC.tuple(
  FC.constantFrom(...instances),
  FC.option(standing.chain((name) => FC.tuple(FC.constant(name), FC.constantFrom(...standings[name]))))
)

describe("the registry", () => {
  it.prop(
    "lets through who waits for services when all their instances are ready, and says who is missing meanwhile",
    [FC.array(change, { maxLength: 30 }), FC.subarray(services, { minLength: 1 }), FC.nat(), FC.nat(10)],
    ([changes, wanted, seed, begin]) => {
      const simulation = new Simulation(seed)
      const registry = Context.get(
        simulation.run(Effect.scoped(Layer.build(ReadinessRegistry.layer))),
        ReadinessRegistry.ReadinessRegistry
      )
      const model = new Map<InstanceName, Standing>()
      const having = (name: ServiceName, ...among: ReadonlyArray<Standing>) =>
        [...model].some(([instance, standing]) => instance.startsWith(`${name}:`) && among.includes(standing))
      let seen: ReadonlyArray<ReadonlyArray<ServiceName>> = []
      const woken = new Set<InstanceName>()
      let waiting: Fiber.RuntimeFiber<void> | null = null
      const wait = () => {
        waiting = simulation.fork(
          registry.awaitReady(by, wanted, (missing, down) => Effect.sync(() => void (seen = [missing, down])))
        )
        simulation.settle()
      }
      let wasReady = false
      const check = () => {
        const missing = wanted.filter((name) => having(name, "coming", "asleep", "down"))
        if (waiting === null || wasReady) return
        wasReady = missing.length === 0
        assert.strictEqual(waiting.unsafePoll() !== null, wasReady)
        const asleep = [...model].filter(([instance, standing]) =>
          standing === "asleep" && wanted.some((name) => instance.startsWith(`${name}:`))
        )
        const isInVain = wanted.some((name) => having(name, "down"))
        if (!isInVain) assert.includeMembers([...woken], asleep.map(([instance]) => instance))
        if (!wasReady) assert.deepStrictEqual(seen, [missing, wanted.filter((name) => having(name, "down"))])
      }
      for (const [index, [instance, told]] of changes.entries()) {
        if (index === begin) wait()
        check()
        if (told === null) {
          model.delete(instance)
          simulation.run(registry.forget(instance))
        } else {
          model.set(instance, told[0])
          simulation.run(
            registry.tell(instance, told[1], (who) => Effect.sync(() => void woken.add(who === by ? instance : who)))
          )
        }
        check()
      }
      if (waiting !== null) simulation.run(Fiber.interrupt(waiting))
    },
    { fastCheck: { numRuns: 300 } }
  )
})
