/**
 * Figures for Prometheus.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import Counter from "prom-client/lib/counter.js"
import Histogram from "prom-client/lib/histogram.js"
import heapSizeAndUsed from "prom-client/lib/metrics/heapSizeAndUsed.js"
import osMemoryHeap from "prom-client/lib/metrics/osMemoryHeap.js"
import processCpuTotal from "prom-client/lib/metrics/processCpuTotal.js"
import processMaxFileDescriptors from "prom-client/lib/metrics/processMaxFileDescriptors.js"
import processOpenFileDescriptors from "prom-client/lib/metrics/processOpenFileDescriptors.js"
import processStartTime from "prom-client/lib/metrics/processStartTime.js"
import version from "prom-client/lib/metrics/version.js"
import Registry from "prom-client/lib/registry.js"
import { ExitReason } from "../domain/Exit.ts"
import { type InstanceName, parts, type ServiceName } from "../domain/Names.ts"
import { type InstanceView, StateLabel } from "../domain/Views.ts"
import { family, labels } from "./internal/exposition.ts"

/**
 * `code` is the status; 499 where the client left before it had its answer. `instance` is `null` where none was asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answered {
  readonly service: ServiceName
  readonly instance: InstanceName | null
  readonly code: number
  readonly seconds: number
}

/**
 * Why a request was not served: no such service or instance, none of them is ready, it cannot be connected to, the
 * connection broke off, it took too long, what came back is not what was asked for, or the client left.
 *
 * @since 0.1.0
 * @category models
 */
export type RefusalKind = "no-route" | "not-ready" | "connect" | "broken-off" | "timeout" | "bad-answer" | "client-left"

/**
 * What was done with a line of nginx's log: counted; or not, since the gateway has counted that request, or no instance
 * has such an address; or not understood.
 *
 * @since 0.1.0
 * @category models
 */
export type LineOutcome = "counted" | "ignored" | "malformed"

/**
 * Why lines of a log are gone: they could not be written, or rotation took them away.
 *
 * @since 0.1.0
 * @category models
 */
export type LossReason = "disk" | "rotated"

const lossReasons: ReadonlyArray<LossReason> = ["disk", "rotated"]

const mostUncounted = 256

const codeClasses = ["1xx", "2xx", "3xx", "4xx", "5xx"]

/**
 * Counters are told what happened; gauges are read from the instances when somebody scrapes.
 *
 * @since 0.1.0
 * @category tags
 */
export class Metrics extends Context.Tag("tenement/layers/Metrics")<Metrics, {
  /** An automatic restart, or that many, and how the run before ended. */
  readonly restarted: (instance: InstanceName, reason: ExitReason, times?: number) => Effect.Effect<void>
  /** A health probe took so many seconds. */
  readonly probed: (service: ServiceName, seconds: number) => Effect.Effect<void>
  /** So many lines of what an instance printed are gone. */
  readonly linesLost: (instance: InstanceName, reason: LossReason, lines: number) => Effect.Effect<void>
  /** The kernel ended the instance for memory. */
  readonly oomKilled: (instance: InstanceName) => Effect.Effect<void>
  /** Somebody needs the instance, which slept. */
  readonly waking: (instance: InstanceName) => Effect.Effect<void>
  /** One that slept can be used, so many seconds after somebody needed it. */
  readonly woke: (service: ServiceName, seconds: number) => Effect.Effect<void>
  /** A request was answered, by an instance or in its stead. As plain a function as the next two: see `Traffic`. */
  readonly answered: (request: Answered) => void
  /** A request could not be served; `null` where it asked for no service that there is. */
  readonly refused: (service: ServiceName | null, kind: RefusalKind) => void
  /** A line of nginx's log was heard. */
  readonly logged: (outcome: LineOutcome) => void
  /** The instance was removed: none of its series is left. */
  readonly forget: (instance: InstanceName) => Effect.Effect<void>
  /** The exposition text. `cpuSeconds` is the CPU time each running instance has used. */
  readonly render: (
    instances: ReadonlyArray<InstanceView>,
    cpuSeconds: ReadonlyMap<InstanceName, number>
  ) => Effect.Effect<{ readonly contentType: string; readonly body: string }>
}>() {}

// Left out of prom-client's defaults: event loop delay and garbage collection, whose observers cost an idle process
// timers and memory, and the lists of active handles, whose cost grows with the number of instances.
const processMetrics = [
  heapSizeAndUsed,
  osMemoryHeap,
  processCpuTotal,
  processMaxFileDescriptors,
  processOpenFileDescriptors,
  processStartTime,
  version
]

/** CPU time over all runs of an instance: what earlier runs used, and what this run (`startedAt`) used so far. */
interface CpuTotal {
  readonly before: number
  readonly startedAt: string | null
  readonly current: number
}

const advance = (total: CpuTotal | undefined, startedAt: string | null, sample: number | undefined): CpuTotal => {
  if (total === undefined) return { before: 0, startedAt, current: sample ?? 0 }
  if (sample === undefined) return total
  return total.startedAt === startedAt
    ? { ...total, current: Math.max(total.current, sample) }
    : { before: total.before + total.current, startedAt, current: sample }
}

const instanceLabels = (instance: InstanceName) => ({ service: parts(instance).service, instance })

/** What has happened to each instance. It is told from the first scrape on, as 0: who counts changes sees the first, too. */
interface Tallies {
  readonly cpu: ReadonlyMap<InstanceName, CpuTotal>
  readonly oomKills: ReadonlyMap<InstanceName, number>
  readonly linesLost: ReadonlyMap<InstanceName, Readonly<Record<LossReason, number>>>
}

const instanceFamilies = (instances: ReadonlyArray<InstanceView>, { cpu, linesLost, oomKills }: Tallies): string => {
  const labelled = instances.map((view) => [labels(instanceLabels(view.name)), view] as const)
  const gauge = (name: string, help: string, value: (view: InstanceView) => number | null) =>
    family(
      name,
      "gauge",
      help,
      labelled.flatMap(([labels, view]) => {
        const sample = value(view)
        return sample === null ? [] : [[labels, sample] as const]
      })
    )
  const counter = (name: string, help: string, value: (name: InstanceName) => number) =>
    family(name, "counter", help, labelled.map(([labels, { name }]) => [labels, value(name)]))
  return gauge("tenement_instance_uptime_seconds", "Time since the running process started.", (v) => v.uptimeSeconds) +
    gauge("tenement_instance_memory_mb", "Memory that the instance uses, in megabytes.", (v) => v.memoryMb) +
    counter("tenement_instance_cpu_seconds_total", "CPU time that all runs of the instance used.", (name) => {
      const total = cpu.get(name)
      return total === undefined ? 0 : total.before + total.current
    }) +
    counter("tenement_oom_kills_total", "Runs that the kernel ended for memory.", (name) => oomKills.get(name) ?? 0) +
    family(
      "tenement_log_lines_lost_total",
      "counter",
      "Lines of the log that are gone: they could not be written, or rotation took them away.",
      labelled.flatMap(([labels, { name }]) =>
        lossReasons.map((reason) => [`${labels},reason="${reason}"`, linesLost.get(name)?.[reason] ?? 0] as const)
      )
    ) +
    family(
      "tenement_instance_state",
      "gauge",
      "1 for the state that the instance is in, 0 for the others.",
      labelled.flatMap(([labels, view]) =>
        StateLabel.literals.map((state) => [`${labels},state="${state}"`, state === view.state ? 1 : 0] as const)
      )
    )
}

/**
 * Metrics of the tree, and of the Node process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Metrics> = Layer.sync(Metrics, () => {
  const registry = new Registry()
  const registers = [registry]
  for (const collect of processMetrics) collect(registry)
  const restarts = new Counter({
    name: "tenement_instance_restarts_total",
    help: "Automatic restarts, by how the run before ended.",
    labelNames: ["service", "instance", "reason"],
    registers
  })
  const probes = new Histogram({
    name: "tenement_health_check_seconds",
    help: "How long health probes took.",
    labelNames: ["service"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers
  })
  const wakes = new Counter({
    name: "tenement_wakes_total",
    help: "How often a sleeping instance was woken.",
    labelNames: ["service", "instance"],
    registers
  })
  const wakeTimes = new Histogram({
    name: "tenement_wake_seconds",
    help: "How long it took from the need of a sleeping instance until it was ready.",
    labelNames: ["service"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers
  })
  const requests = new Counter({
    name: "tenement_requests_total",
    help: "Requests, by the class of the answer's status.",
    labelNames: ["service", "instance", "code"],
    registers
  })
  const errors = new Counter({
    name: "tenement_errors_total",
    help: "Requests that no instance answered in full.",
    labelNames: ["service", "kind"],
    registers
  })
  const latency = new Histogram({
    name: "tenement_request_seconds",
    help: "How long requests took, from their head to the end of the answer.",
    labelNames: ["service"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers
  })
  const lines = new Counter({
    name: "tenement_access_log_lines_total",
    help: "Lines of nginx's log, by what was done with them.",
    labelNames: ["outcome"],
    registers
  })
  /** Requests are counted many at a time, which costs less. */
  const uncounted: Array<Answered> = []
  const countAll = () => {
    const alike = new Map<string, { readonly one: Answered; count: number }>()
    for (const one of uncounted) {
      const { code, instance, seconds, service } = one
      const key = `${instance ?? service} ${Math.floor(code / 100)}`
      const known = alike.get(key)
      if (known === undefined) alike.set(key, { one, count: 1 })
      else known.count++
      latency.observe({ service }, seconds)
    }
    for (const { count, one: { code, instance, service } } of alike.values()) {
      requests.inc({ service, instance: instance ?? "", code: `${Math.floor(code / 100)}xx` }, count)
    }
    uncounted.length = 0
  }
  const cpu = new Map<InstanceName, CpuTotal>()
  const oomKills = new Map<InstanceName, number>()
  const linesLost = new Map<InstanceName, Record<LossReason, number>>()
  const add = (to: Map<InstanceName, number>, instance: InstanceName, count: number) =>
    Effect.sync(() => void to.set(instance, (to.get(instance) ?? 0) + count))

  return {
    restarted: (instance, reason, times = 1) =>
      Effect.sync(() => restarts.inc({ ...instanceLabels(instance), reason }, times)),
    probed: (service, seconds) => Effect.sync(() => probes.observe({ service }, seconds)),
    linesLost: (instance, reason, lines) =>
      Effect.sync(() => {
        const lost = linesLost.get(instance) ?? { disk: 0, rotated: 0 }
        linesLost.set(instance, { ...lost, [reason]: lost[reason] + lines })
      }),
    oomKilled: (instance) => add(oomKills, instance, 1),
    waking: (instance) => Effect.sync(() => wakes.inc(instanceLabels(instance))),
    woke: (service, seconds) => Effect.sync(() => wakeTimes.observe({ service }, seconds)),
    answered: (request) => {
      if (uncounted.push(request) === mostUncounted) countAll()
    },
    refused: (service, kind) => errors.inc({ service: service ?? "", kind }),
    logged: (outcome) => lines.inc({ outcome }),
    forget: (instance) =>
      Effect.sync(() => {
        countAll()
        const labels = instanceLabels(instance)
        for (const reason of ExitReason.literals) restarts.remove({ ...labels, reason })
        for (const code of codeClasses) requests.remove({ ...labels, code })
        wakes.remove(labels)
        for (const tally of [cpu, oomKills, linesLost]) tally.delete(instance)
      }),
    render: Effect.fn("Metrics.render")(function*(instances, cpuSeconds) {
      for (const { name, startedAt } of instances) {
        cpu.set(name, advance(cpu.get(name), startedAt, cpuSeconds.get(name)))
      }
      countAll()
      const own = yield* Effect.promise(() => registry.metrics())
      return {
        contentType: registry.contentType,
        body: instanceFamilies(instances, { cpu, oomKills, linesLost }) + own
      }
    })
  }
})
