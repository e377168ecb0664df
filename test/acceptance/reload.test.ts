import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Views from "../../src/domain/Views.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

type Plan = typeof Views.ReloadPlan.Encoded

const names = Array.from({ length: 10 }, (_, index) => `s${index}`)
const services = (change: (name: string) => Fx.Table = () => ({})) =>
  Object.fromEntries(names.map((name) => [name, Fx.service(change(name), "obey=TERM")]))

const identities = (machine: Machine) =>
  Effect.map(
    machine.list,
    (views) => Object.fromEntries(views.map(({ name, pid, state }) => [name, `${state} ${Proc.identity(pid ?? 0)}`]))
  )

const allRun = (machine: Machine) =>
  eventually("all run", machine.list, (views) => views.length === 10 && views.every(({ state }) => state === "running"))

const reload = (machine: Machine, query = "") => machine.api(`/api/reload${query}`, { method: "POST" })

describe("reload", () => {
  it.scopedLive("with one mistake among good changes changes nothing at all", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: services() })
      yield* allRun(machine)
      const before = yield* identities(machine)
      const config = (yield* machine.api("/api/config")).json
      yield* machine.write({
        service: services((name) => name === "s9" ? { restart: "sometimes" } : { env: { CHANGED: "yes" } })
      })
      const answer = yield* reload(machine)
      assert.strictEqual(answer.status, 422)
      assert.propertyVal(answer.json, "_tag", "ConfigInvalid")
      assert.include(answer.text, "restart")
      const told = yield* machine.cli("reload")
      assert.strictEqual(told.code, 2, told.stderr)
      assert.include(told.stderr, "tenement.toml:")
      yield* machine.supervisor.signal("SIGHUP")
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual(yield* identities(machine), before)
      assert.deepStrictEqual((yield* machine.api("/api/config")).json, config)
    }))

  it.scopedLive("does what changed and only that, and says so before", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: services() })
      yield* allRun(machine)
      const before = yield* identities(machine)
      const { s1: _, ...rest } = services((name) =>
        name === "s0" ? { env: { GREETING: "new" } } : name === "s2" ? { max_restarts: 7 } : {}
      )
      yield* machine.write({ service: { ...rest, added: Fx.service({}, "") } })

      const dry = (yield* reload(machine, "?dryRun=true")).json as Plan
      assert.deepStrictEqual(yield* identities(machine), before, "a dry run does nothing")
      const done = (yield* reload(machine)).json as Plan
      assert.deepStrictEqual(done.changes, dry.changes)
      assert.deepStrictEqual([dry.applied, done.applied], [false, true])
      const acted = done.changes.map(({ action, subject }) => `${action} ${subject.split(":")[0]}`).sort()
      assert.deepStrictEqual(acted, ["restart s0", "start added", "stop s1", "update s2"])
      assert.deepStrictEqual(
        done.changes.find(({ action }) => action === "restart")?.keys.map(({ key }) => key),
        ["env.GREETING"]
      )

      yield* machine.until("added", "running")
      const s0 = yield* machine.until("s0", "running")
      assert.strictEqual(Proc.environment(s0.pid!)["GREETING"], "new")
      assert.strictEqual(s0.restarts, 0, "nobody crashed")
      const after = yield* identities(machine)
      assert.notProperty(after, "s1:default")
      for (const name of names.slice(2)) assert.strictEqual(after[`${name}:default`], before[`${name}:default`], name)
      assert.strictEqual((yield* machine.describe("s2")).restart.maxRestarts, 7)
      assert.deepStrictEqual(((yield* reload(machine)).json as Plan).changes, [], "nothing is left to do")
    }))

  it.scopedLive("SIGHUP reloads, too; settings that hold for a supervisor's life are refused", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      const before = yield* machine.until("web", "running")
      yield* machine.write({ service: { web: Fx.service({}, ""), more: Fx.service({ instances: ["a", "b"] }, "") } })
      yield* machine.supervisor.signal("SIGHUP")
      yield* eventually(
        "the new ones run",
        machine.list,
        (views) => views.filter(({ state }) => state === "running").length === 3
      )
      assert.strictEqual((yield* machine.view("web")).pid, before.pid)

      yield* machine.write({ settings: { start_concurrency: 3 }, service: { web: Fx.service({}, "") } })
      const refused = yield* reload(machine)
      assert.strictEqual(refused.status, 409)
      assert.deepInclude(refused.json, { _tag: "ReloadRefused", keys: ["settings.start_concurrency"] })
      assert.strictEqual((yield* machine.list).length, 3)
    }))

  it.scopedLive("leaves alone what a person stopped or spawned", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, ""), idle: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      yield* machine.until("idle", "running")
      yield* machine.stop("idle")
      const spawned = yield* machine.api("/api/instances", { method: "POST", body: { service: "web", id: "test" } })
      assert.strictEqual(spawned.status, 200)
      const before = yield* identities(machine)
      yield* machine.write({
        service: { web: Fx.service({ max_restarts: 9 }, ""), idle: Fx.service({ max_restarts: 9 }, "") }
      })
      assert.strictEqual((yield* reload(machine)).status, 200)
      assert.deepStrictEqual(yield* identities(machine), before)
    }))

  it.scopedLive("any file after any other: what runs is what the file says, and what did not change went on", () =>
    Effect.gen(function*() {
      const random = Random.make("any file")
      const version = Effect.map(
        random.nextIntBetween(0, 4),
        (kind) => kind === 0 ? undefined : { VERSION: String(kind) }
      )
      const some = <A>(values: ReadonlyArray<A>) =>
        Effect.filter(values, () => Effect.map(random.nextIntBetween(0, 3), (roll) => roll > 0))
      const file = Effect.gen(function*() {
        const service: Record<string, Fx.Table> = { always: Fx.service({}, "") }
        for (const name of ["a", "b", "c", "d"]) {
          const env = yield* version
          if (env !== undefined) service[name] = Fx.service({ env, instances: yield* some(["x", "y", "z"]) }, "")
        }
        return { service }
      })
      const expected = ({ service }: { readonly service: Readonly<Record<string, Fx.Table>> }) =>
        Object.entries(service).flatMap(([name, { env, instances }]) =>
          ((instances ?? ["default"]) as ReadonlyArray<string>).map((id) =>
            [`${name}:${id}`, JSON.stringify(env)] as const
          )
        )

      let now = yield* file
      const machine = yield* make(now)
      const matches = (wanted: ReadonlyArray<readonly [string, string]>) =>
        eventually("what runs is what the file says", machine.list, (views) =>
          views.length === wanted.length &&
          views.every(({ name, state }) => state === "running" && wanted.some(([other]) => other === name)))
      yield* matches(expected(now))
      for (let round = 0; round < 12; round++) {
        const before = yield* identities(machine)
        const next = yield* file
        yield* machine.write(next)
        const answer = yield* reload(machine)
        assert.strictEqual(answer.status, 200, answer.text)
        yield* matches(expected(next))
        const after = yield* identities(machine)
        const old = new Map(expected(now))
        for (const [name, env] of expected(next)) {
          if (old.get(name) === env) assert.strictEqual(after[name], before[name], `${name} in round ${round}`)
          else assert.notStrictEqual(after[name], before[name], `${name} in round ${round}`)
        }
        now = next
      }
    }))
})
