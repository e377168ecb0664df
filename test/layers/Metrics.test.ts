import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { ExitReason } from "../../src/domain/Exit.ts"
import { InstanceId, type InstanceName, instanceName, ServiceName } from "../../src/domain/Names.ts"
import { type InstanceView, StateLabel } from "../../src/domain/Views.ts"
import { family, labels } from "../../src/layers/internal/exposition.ts"
import * as Metrics from "../../src/layers/Metrics.ts"

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const unescape = (text: string): string =>
  text.replace(/\\(.)/g, (_, char: string) => {
    assert.include(["n", "\\", "\""], char)
    return char === "n" ? "\n" : char
  })

/** Prometheus' text format, and nothing that a strict reader would not take. */
const parse = (text: string): { readonly samples: ReadonlyArray<Sample>; readonly types: Map<string, string> } => {
  assert.isTrue(text.endsWith("\n"))
  const types = new Map<string, string>()
  const samples: Array<Sample> = []
  const seen = new Set<string>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      assert.isFalse(types.has(type[1]!), `${type[1]} twice`)
      types.set(type[1]!, type[2]!)
      continue
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$/.exec(line)
    assert.isNotNull(sample, line)
    const [, name, pairs = "", value] = sample
    assert.isFalse(seen.has(`${name}{${pairs}}`), line)
    seen.add(`${name}{${pairs}}`)
    assert.isTrue(types.has(name!) || types.has(name!.replace(/_(bucket|sum|count)$/, "")), `${name} has no type`)
    const number = value === "+Inf" ? Infinity : Number(value)
    assert.isFalse(Number.isNaN(number), line)
    const all = [...pairs.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)]
    samples.push({
      name: name!,
      labels: Object.fromEntries(all.map(([, key, text]) => [key!, unescape(text!)])),
      value: number
    })
  }
  return { samples, types }
}

const service = FC.constantFrom("api", "a_b-c", "0").map((name) => ServiceName.make(name))
const id = FC.constantFrom("default", "x-1").map((name) => InstanceId.make(name))

const viewOf = (service: ServiceName, id: InstanceId, rest: Partial<InstanceView> = {}): InstanceView => ({
  name: instanceName(service, id),
  service,
  id,
  state: "running",
  health: null,
  pid: 1,
  startedAt: "2026-01-01T00:00:00.000Z",
  uptimeSeconds: 1,
  restarts: 0,
  memoryMb: 1.5,
  cpuPercent: 0,
  socket: null,
  port: null,
  weight: 100,
  lastExit: null,
  nextStartAt: null,
  ...rest
})

const view = FC.record({
  service,
  id,
  state: FC.constantFrom(...StateLabel.literals),
  uptimeSeconds: FC.option(FC.double({ min: 0, max: 1e9, noNaN: true })),
  memoryMb: FC.option(FC.double({ min: 0, max: 1e6, noNaN: true }))
}).map(({ id, service, ...rest }) => viewOf(service, id, rest))
const views = FC.uniqueArray(view, { selector: ({ name }) => name })

const scrape = Effect.fnUntraced(
  function*(instances: ReadonlyArray<InstanceView>, cpu: ReadonlyMap<InstanceName, number> = new Map()) {
    const { render } = yield* Metrics.Metrics
    const { body, contentType } = yield* render(instances, cpu)
    assert.match(contentType, /^text\/plain; version=0\.0\.4/)
    return parse(body)
  }
)

const valuesOf = (samples: ReadonlyArray<Sample>, name: string, labels: Readonly<Record<string, string>> = {}) =>
  samples.filter((sample) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  ).map(({ value }) => value)

describe("Metrics", () => {
  it.effect.prop("shows each instance as it is", [views], ([instances]) =>
    Effect.gen(function*() {
      const { samples, types } = yield* scrape(instances)
      assert.strictEqual(types.get("tenement_instance_state"), "gauge")
      assert.strictEqual(types.get("tenement_instance_cpu_seconds_total"), "counter")
      assert.strictEqual(types.get("tenement_health_check_seconds"), "histogram")
      for (const { memoryMb, name, service, state, uptimeSeconds } of instances) {
        const labels = { service, instance: name }
        for (const label of StateLabel.literals) {
          const values = valuesOf(samples, "tenement_instance_state", { ...labels, state: label })
          assert.deepStrictEqual(values, [label === state ? 1 : 0])
        }
        const nullable = (value: number | null) => value === null ? [] : [value]
        assert.deepStrictEqual(valuesOf(samples, "tenement_instance_memory_mb", labels), nullable(memoryMb))
        assert.deepStrictEqual(valuesOf(samples, "tenement_instance_uptime_seconds", labels), nullable(uptimeSeconds))
      }
      assert.lengthOf(valuesOf(samples, "tenement_instance_state"), instances.length * StateLabel.literals.length)
      assert.lengthOf(valuesOf(samples, "process_cpu_seconds_total"), 1)
      assert.lengthOf(valuesOf(samples, "process_start_time_seconds"), 1)
      assert.lengthOf(valuesOf(samples, "process_open_fds"), 1)
    }).pipe(Effect.provide(Metrics.layer)), { fastCheck: { numRuns: 30 } })

  it.effect.prop(
    "adds up the CPU time of all runs, whatever was seen of it, and never goes back",
    [FC.array(FC.array(FC.option(FC.double({ min: 0, max: 1000, noNaN: true })), { maxLength: 4 }), { maxLength: 5 })],
    ([runs]) =>
      Effect.gen(function*() {
        const [service, id] = [ServiceName.make("api"), InstanceId.make("a")]
        let last = 0
        let before = 0
        for (const [run, seen] of runs.entries()) {
          let current = 0
          for (const sample of seen.map((value) => value).sort((a, b) => (a ?? 0) - (b ?? 0))) {
            const instance = viewOf(service, id, { startedAt: new Date(run * 1000).toISOString() })
            const cpu = new Map(sample === null ? [] : [[instance.name, sample]])
            current = Math.max(current, sample ?? 0)
            const { samples } = yield* scrape([instance], cpu)
            const [total = -1] = valuesOf(samples, "tenement_instance_cpu_seconds_total")
            assert.closeTo(total, before + current, 1e-6)
            assert.isAtLeast(total, last)
            last = total
          }
          before += current
        }
      }).pipe(Effect.provide(Metrics.layer)),
    { fastCheck: { numRuns: 30 } }
  )

  it.effect.prop(
    "counts restarts, kills and probes as they were told",
    [
      FC.array(FC.tuple(service, id, FC.constantFrom(...ExitReason.literals))),
      FC.array(FC.tuple(service, FC.double({ min: 0, max: 20, noNaN: true })))
    ],
    ([restarts, probes]) =>
      Effect.gen(function*() {
        const metrics = yield* Metrics.Metrics
        for (const [service, id, reason] of restarts) {
          yield* metrics.restarted(instanceName(service, id), reason)
          if (reason === "oom-killed") yield* metrics.oomKilled(instanceName(service, id))
        }
        for (const [service, seconds] of probes) yield* metrics.probed(service, seconds)
        const named = new Map(restarts.map(([service, id]) => [instanceName(service, id), viewOf(service, id)]))
        const { samples } = yield* scrape([...named.values()])
        const sum = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0)
        for (const [service, id, reason] of restarts) {
          const same = restarts.filter(([s, i, r]) => s === service && i === id && r === reason)
          const labels = { service, instance: instanceName(service, id), reason }
          assert.deepStrictEqual(valuesOf(samples, "tenement_instance_restarts_total", labels), [same.length])
        }
        assert.strictEqual(sum(valuesOf(samples, "tenement_instance_restarts_total")), restarts.length)
        const kills = restarts.filter(([, , reason]) => reason === "oom-killed").length
        assert.strictEqual(sum(valuesOf(samples, "tenement_oom_kills_total")), kills)
        assert.strictEqual(sum(valuesOf(samples, "tenement_health_check_seconds_count")), probes.length)
        for (const [service] of probes) {
          const own = probes.filter(([other]) => other === service)
          const buckets = valuesOf(samples, "tenement_health_check_seconds_bucket", { service })
          assert.deepStrictEqual(buckets, buckets.toSorted((a, b) => a - b))
          assert.strictEqual(buckets.at(-1), own.length)
        }
      }).pipe(Effect.provide(Metrics.layer)),
    { fastCheck: { numRuns: 30 } }
  )

  it.effect("leaves nothing of thousands of instances that came and went", () =>
    Effect.gen(function*() {
      const metrics = yield* Metrics.Metrics
      const service = ServiceName.make("api")
      const { samples: before } = yield* scrape([])
      for (let i = 0; i < 3000; i++) {
        const instance = viewOf(service, InstanceId.make(`id-${i}`))
        yield* metrics.restarted(instance.name, "exited")
        yield* metrics.restarted(instance.name, "oom-killed")
        yield* metrics.oomKilled(instance.name)
        yield* metrics.linesLost(instance.name, "disk", 3)
        if (i % 100 === 0) yield* metrics.render([instance], new Map([[instance.name, 5]]))
        yield* metrics.forget(instance.name)
      }
      const { samples: after } = yield* scrape([])
      assert.lengthOf(after, before.length)
    }).pipe(Effect.provide(Metrics.layer)))
})

describe("exposition", () => {
  it("carries any label value", () => {
    FC.assert(FC.property(FC.array(FC.fullUnicodeString()), (values) => {
      const samples = [...new Set(values)].map((value, i) => [labels({ a: value, b: "x" }), i] as const)
      const parsed = parse(family("m", "gauge", "help", samples)).samples
      assert.deepStrictEqual(parsed.map(({ labels }) => labels["a"]), [...new Set(values)])
    }))
    FC.assert(FC.property(FC.stringOf(FC.constantFrom("\\", "\"", "\n", "n", "}", "{", ",", "=")), (value) => {
      const [sample] = parse(family("m", "counter", "help", [[labels({ a: value }), 1]])).samples
      assert.deepStrictEqual(sample?.labels, { a: value })
    }))
  })
})
