// A tenement.toml under a storm of crashes: the real tree, a simulated machine, and no process at all. A minute of it takes
// some milliseconds.
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { fileURLToPath } from "node:url"
import { Backoff, Load } from "tenement"
import { SimulatedTree } from "tenement/testkit"

// A layer of one's own, over what the file says.
const impatient = Backoff.fromSchedule(Schedule.spaced("50 millis"))

const main = Effect.gen(function*() {
  const config = yield* Load.load(fileURLToPath(new URL("tenement.toml", import.meta.url)))
  const tree = new SimulatedTree.SimulatedTree(config, {
    layers: (machine) => (service) =>
      service.name === "worker" ? Layer.merge(machine.layersFor(service), impatient) : machine.layersFor(service)
  })
  const show = (when: string) =>
    Console.log(`${when}: api is ${tree.look("api").state}, worker ${tree.look("worker").state}`)

  tree.pass(1000)
  yield* show("at first")

  // The worker crashes twenty times, and is back 50 ms later each time: it may be restarted without end.
  for (let crash = 0; crash < 20; crash++) {
    tree.crash("worker")
    tree.pass(50)
  }
  yield* show("after twenty crashes of the worker")

  // The api crashes once too often. The worker had it when it started, and goes on.
  for (let crash = 0; crash < 5; crash++) {
    tree.crash("api")
    tree.pass(1600)
  }
  yield* show("after five crashes of the api")

  tree.kill()
  yield* show("under another supervisor")
})

NodeRuntime.runMain(Effect.provide(main, NodeContext.layer))
