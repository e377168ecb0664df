import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { type Machine, make } from "./Machine.ts"

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

const labelsOf = (text: string): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {}
  labelPair.lastIndex = 0
  while (labelPair.lastIndex < text.length) {
    const [, name, value] = labelPair.exec(text) ?? assert.fail(`labels: ${text}`)
    assert.notProperty(labels, name!)
    labels[name!] = value!
  }
  return labels
}

/** The exposition format, strictly: each family announced once, its samples together, no sample twice. */
const parse = (text: string): ReadonlyArray<Sample> => {
  assert.isTrue(text.endsWith("\n"))
  const samples: Array<Sample> = []
  const families = new Set<string>()
  const seen = new Set<string>()
  let family = ""
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const announced = /^# (TYPE|HELP) (\S+)/.exec(line)
    if (announced !== null) {
      if (announced[1] === "TYPE") {
        family = announced[2]!
        assert.isFalse(families.has(family), `${family} twice`)
        families.add(family)
      }
      continue
    }
    const [, name, labels, value] = sampleLine.exec(line) ?? assert.fail(`not a sample: ${line}`)
    assert.isTrue(name === family || name!.startsWith(`${family}_`), `${name} under ${family}`)
    assert.isFalse(seen.has(`${name}{${labels}}`), `${line} twice`)
    seen.add(`${name}{${labels}}`)
    const number = value === "+Inf" ? Infinity : Number(value)
    assert.isFalse(Number.isNaN(number) && value !== "NaN", line)
    samples.push({ name: name!, labels: labelsOf(labels ?? ""), value: number })
  }
  return samples
}

const scrape = (machine: Machine) =>
  Effect.map(machine.api("/metrics"), ({ headers, status, text }) => {
    assert.strictEqual(status, 200)
    assert.match(headers["content-type"] ?? "", /^text\/plain; ?version=0\.0\.4/)
    return parse(text)
  })

const of = (samples: ReadonlyArray<Sample>, name: string, labels: Readonly<Record<string, string>> = {}) =>
  samples.filter((sample) =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  )

const total = (samples: ReadonlyArray<Sample>) => samples.reduce((sum, { value }) => sum + value, 0)

describe("metrics", () => {
  it.scopedLive("count what happened, by instance and reason, and never go back", () =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 12 }, (_, index) => `n${index}`)
      const crashes = Array.from({ length: 6 }, (_, index) => index % 3 === 0 ? "die=KILL" : "exit=1")
      const machine = yield* make({
        service: {
          storm: Fx.service({ ...Fx.eager, instances: ids }, ...crashes, ""),
          well: Fx.service({ health: "/health", health_interval: "50 millis" }, "serve=200"),
          given: Fx.service({ max_restarts: 0 }, "exit=1"),
          idle: Fx.service({ instances: [] }, "")
        }
      })
      let before: ReadonlyArray<Sample> = []
      yield* eventually("the storm is over", scrape(machine), (samples) => {
        for (const { labels, name, value } of before) {
          if (!/_(total|count|sum|bucket)$/.test(name) || name.startsWith("process_")) continue
          const now = of(samples, name, labels).find((sample) =>
            Object.keys(sample.labels).length === Object.keys(labels).length
          )
          assert.isAtLeast(now?.value ?? 0, value, `${name} ${JSON.stringify(labels)}`)
        }
        before = samples
        return total(of(samples, "tenement_instance_restarts_total", { service: "storm" })) === 6 * ids.length &&
          of(samples, "tenement_instance_state", { service: "storm", state: "running" }).every(({ value }) =>
            value === 1
          )
      })
      const samples = yield* scrape(machine)
      for (const id of ids) {
        const starts = (yield* machine.starts(`storm:${id}`)).length
        const byInstance = of(samples, "tenement_instance_restarts_total").filter(({ labels }) =>
          labels["service"] === "storm" && [id, `storm:${id}`].includes(labels["instance"]!)
        )
        assert.strictEqual(total(byInstance), starts - 1)
        assert.strictEqual(total(byInstance.filter(({ labels }) => labels["reason"] === "signaled")), 2)
        assert.strictEqual(total(byInstance.filter(({ labels }) => labels["reason"] === "exited")), 4)
      }
      // Each instance is in exactly one state.
      const states = of(samples, "tenement_instance_state")
      const instances = new Set(states.map(({ labels }) => `${labels["service"]} ${labels["instance"]}`))
      assert.strictEqual(instances.size, 14)
      assert.strictEqual(total(states), 14)
      assert.strictEqual(total(of(samples, "tenement_instance_state", { service: "given", state: "failed" })), 1)
      // Only what runs has an uptime and memory.
      assert.strictEqual(of(samples, "tenement_instance_uptime_seconds").length, 13)
      assert.isAbove(of(samples, "tenement_instance_memory_mb", { service: "well" })[0]!.value, 0.5)
      assert.isAtLeast(of(samples, "tenement_instance_cpu_seconds_total", { service: "well" })[0]!.value, 0)
      const probes = (yield* machine.truth("well")).filter(({ event }) => event === "request").length
      const counted = total(of(samples, "tenement_health_check_seconds_count", { service: "well" }))
      assert.isAtLeast(counted, 1)
      assert.isAtMost(counted, probes)
      assert.strictEqual(of(samples, "process_start_time_seconds").length, 1)
    }))

  it.scopedLive("an instance that was removed leaves no series", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({ ...Fx.eager, instances: [] }, "exit=1", "") } })
      const named = Effect.map(
        scrape(machine),
        (samples) => samples.filter(({ labels }) => "instance" in labels).length
      )
      assert.strictEqual(yield* named, 0)
      for (const round of [1, 2, 3]) {
        const ids = Array.from({ length: 8 }, (_, index) => `r${round}-${index}`)
        yield* Effect.forEach(
          ids,
          (id) => machine.api("/api/instances", { method: "POST", body: { service: "web", id } }),
          { concurrency: 8 }
        )
        for (const id of ids) {
          yield* machine.until(`web:${id}`, ({ restarts, state }) => state === "running" && restarts === 1)
        }
        assert.isAbove(yield* named, 8)
        yield* Effect.forEach(ids, (id) => machine.api(`/api/instances/web:${id}`, { method: "DELETE" }), {
          concurrency: 8
        })
      }
      assert.strictEqual(yield* named, 0)
    }))
})
