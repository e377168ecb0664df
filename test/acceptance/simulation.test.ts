/** The simulation against the world: the same traces, lived by the real tree with real processes, go the same way. */
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Tenement } from "../../src/actors/Tenement.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import * as Embed from "../../src/embed.ts"
import { SimulatedTree } from "../../src/testkit/SimulatedTree.ts"
import { Choices } from "../sim/Random.ts"
import { eventually } from "./Eventually.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-simulation-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

const quick = { backoffBaseMs: 20, backoffMaxMs: 100, backoffJitter: 0 }
const command = "sleep 600"

const services = [
  Embed.service({ name: "a", command, maxRestarts: 2, ...quick }),
  Embed.service({ name: "b", command, restart: "always", maxRestarts: Infinity, ...quick }),
  Embed.service({ name: "never", command, restart: "never", ...quick }),
  Embed.service({ name: "missing", command: "/nonexistent/program", maxRestarts: 1, ...quick }),
  Embed.service({ name: "c", command, ...quick }),
  Embed.service({ name: "d", command, ...quick })
]
const names = ["a", "b", "never", "missing", "c", "d"] as const

const configOf = (dataDir: string): TenementConfig =>
  Embed.config({
    services,
    groups: [Embed.group({ name: "shop", services: ["c", "d"], strategy: "one-for-all", maxRestarts: 2 })],
    settings: { dataDir }
  })

interface Deed {
  readonly verb: "start" | "stop" | "restart" | "SIGKILL" | "SIGTERM"
  readonly name: (typeof names)[number]
}

const traceOf = (seed: number): ReadonlyArray<Deed> => {
  const choices = new Choices(seed)
  return Array.from({ length: 12 }, () => ({
    verb: choices.of(["start", "stop", "restart", "SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM"]),
    name: choices.of(names)
  }))
}

type History = ReadonlyArray<string>

/** What was told of instances, in order; those of the group together, since it orders them, and of others each by itself. */
const told = (tenement: typeof Tenement.Service): Effect.Effect<Readonly<Record<string, History>>> =>
  Stream.runCollect(tenement.events({ tail: null, sinceMs: null, follow: false })).pipe(
    Effect.map((events) => {
      const histories: Record<string, Array<string>> = {}
      for (const event of Chunk.toReadonlyArray(events)) {
        if (event._tag !== "Transition") continue
        const { cause, from, instance, to } = event
        const name = instance.split(":")[0] ?? instance
        const how = cause._tag === "Exited" ? `${cause.reason} ${cause.status.code ?? cause.status.signal}` : ""
        const history = histories[name === "c" || name === "d" ? "shop" : name] ??= []
        history.push(`${name}: ${from} to ${to} because of ${cause._tag} ${how}`)
      }
      return histories
    })
  )

const isDeed = (verb: Deed["verb"]): verb is "start" | "stop" | "restart" => !verb.startsWith("SIG")

/** What is told after each deed of the trace, once there is nothing more to come. */
const simulated = (trace: ReadonlyArray<Deed>): ReadonlyArray<Readonly<Record<string, History>>> => {
  const tree = new SimulatedTree(configOf("/nowhere"), {
    before: (machine) => void (machine.of("missing").failsToLaunch = "ENOENT")
  })
  const stages = [[], ...trace.map((deed) => [deed])].map(([deed]) => {
    if (deed !== undefined && isDeed(deed.verb)) tree.fork(tree.tenement[deed.verb](Embed.instance(deed.name)))
    else if (deed !== undefined) {
      const child = tree.machine.living.find(({ instance }) => instance === Embed.instance(deed.name))
      if (child !== undefined) tree.fork(child.exit({ signal: deed.verb }))
    }
    tree.pass(2000)
    return tree.do(told(tree.tenement))
  })
  tree.close()
  tree.pass(60_000)
  return stages
}

const lived = (trace: ReadonlyArray<Deed>, stages: ReadonlyArray<Readonly<Record<string, History>>>) =>
  Effect.gen(function*() {
    const tenement = yield* Tenement
    const come = (stage: number) =>
      eventually(
        `what is told after deed ${stage}`,
        told(tenement),
        (histories) =>
          Object.entries(stages[stage] ?? {}).every(([name, { length }]) => (histories[name]?.length ?? 0) >= length)
      )
    yield* come(0)
    for (const [index, { name, verb }] of trace.entries()) {
      if (isDeed(verb)) yield* Effect.either(tenement[verb](Embed.instance(name)))
      else {
        const view = (yield* tenement.list).find((one) => one.name === Embed.instance(name))
        const pid = view?.pid ?? null
        if (pid !== null) yield* Effect.sync(() => process.kill(pid, verb))
      }
      yield* come(index + 1)
    }
    return yield* told(tenement)
  })

describe("a trace that was simulated", () => {
  for (const seed of [1, 2, 3, 4]) {
    it.scopedLive(`goes the same way with real processes, seed ${seed}`, () =>
      Effect.gen(function*() {
        const trace = traceOf(seed)
        const stages = simulated(trace)
        const histories = yield* lived(trace, stages).pipe(
          Effect.provide(Embed.layer(configOf(yield* folder)))
        )
        assert.deepStrictEqual(histories, stages.at(-1))
      }))
  }
})
