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
  /** So many lines of what an instance printed could not be kept. */
  readonly linesLost: (instance: InstanceName, lines: number) => Effect.Effect<void>
  /** The kernel ended the instance for memory. */
  readonly oomKilled: (instance: InstanceName) => Effect.Effect<void>
  /** A request was answered, by an instance or in its stead. As plain a function as `refused`: see `Traffic`. */
  readonly answered: (request: Answered) => void
  /** A request could not be served; `null` where it asked for no service that there is. */
  readonly refused: (service: ServiceName | null, kind: RefusalKind) => void
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

const instanceFamilies = (instances: ReadonlyArray<InstanceView>, cpu: ReadonlyMap<InstanceName, CpuTotal>): string => {
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
  return gauge("tenement_instance_uptime_seconds", "Time since the running process started.", (v) => v.uptimeSeconds) +
    gauge("tenement_instance_memory_mb", "Memory that the instance uses, in megabytes.", (v) => v.memoryMb) +
    family(
      "tenement_instance_cpu_seconds_total",
      "counter",
      "CPU time that all runs of the instance used.",
      labelled.map(([labels, { name }]) => {
        const total = cpu.get(name)
        return [labels, total === undefined ? 0 : total.before + total.current]
      })
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
  const oomKills = new Counter({
    name: "tenement_oom_kills_total",
    help: "Runs that the kernel ended for memory.",
    labelNames: ["service", "instance"],
    registers
  })
  const linesLost = new Counter({
    name: "tenement_log_lines_lost_total",
    help: "Lines that an instance printed and that could not be written to its log.",
    labelNames: ["service", "instance"],
    registers
  })
  const probes = new Histogram({
    name: "tenement_health_check_seconds",
    help: "How long health probes took.",
    labelNames: ["service"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers
  })
  const requests = new Counter({
    name: "tenement_requests_total",
    help: "Requests through the gateway, by the class of the answer's status.",
    labelNames: ["service", "instance", "code"],
    registers
  })
  const errors = new Counter({
    name: "tenement_errors_total",
    help: "Requests through the gateway that no instance answered in full.",
    labelNames: ["service", "kind"],
    registers
  })
  const latency = new Histogram({
    name: "tenement_request_seconds",
    help: "How long requests through the gateway took, from their head to the end of the answer.",
    labelNames: ["service"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers
  })
  const cpu = new Map<InstanceName, CpuTotal>()

  return {
    restarted: (instance, reason, times = 1) =>
      Effect.sync(() => restarts.inc({ ...instanceLabels(instance), reason }, times)),
    probed: (service, seconds) => Effect.sync(() => probes.observe({ service }, seconds)),
    linesLost: (instance, lines) => Effect.sync(() => linesLost.inc(instanceLabels(instance), lines)),
    oomKilled: (instance) => Effect.sync(() => oomKills.inc(instanceLabels(instance))),
    answered: ({ code, instance, seconds, service }) => {
      requests.inc({ service, instance: instance ?? "", code: `${Math.floor(code / 100)}xx` })
      latency.observe({ service }, seconds)
    },
    refused: (service, kind) => errors.inc({ service: service ?? "", kind }),
    forget: (instance) =>
      Effect.sync(() => {
        const labels = instanceLabels(instance)
        for (const reason of ExitReason.literals) restarts.remove({ ...labels, reason })
        for (const code of codeClasses) requests.remove({ ...labels, code })
        oomKills.remove(labels)
        linesLost.remove(labels)
        cpu.delete(instance)
      }),
    render: Effect.fn("Metrics.render")(function*(instances, cpuSeconds) {
      for (const { name, startedAt } of instances) {
        cpu.set(name, advance(cpu.get(name), startedAt, cpuSeconds.get(name)))
      }
      const own = yield* Effect.promise(() => registry.metrics())
      return { contentType: registry.contentType, body: instanceFamilies(instances, cpu) + own }
    })
  }
})
