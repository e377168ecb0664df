/**
 * Arbitraries of what befalls services, for properties with `effect/FastCheck`.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as FC from "effect/FastCheck"
import type { ServiceConfig, TenementConfig } from "../domain/Config.ts"
import type { Graph } from "../domain/Dependencies.ts"
import { ExitReason, type ExitStatus, isSuccess, reasonOf, type RunEnd, unknown } from "../domain/Exit.ts"
import type { Intensity } from "../domain/Intensity.ts"
import { ServiceName } from "../domain/Names.ts"
import { Strategy } from "../domain/Strategy.ts"
import * as Embed from "../embed.ts"
import type { Exponential } from "../layers/Backoff.ts"

/**
 * An exit code, a signal, or a status that nobody saw.
 *
 * @since 0.1.0
 * @category ends
 */
export const exitStatus: FC.Arbitrary<ExitStatus> = FC.oneof(
  { weight: 4, arbitrary: FC.oneof(FC.constantFrom(0, 1, 2, 127, 255), FC.integer({ min: 0, max: 255 })) },
  { weight: 3, arbitrary: FC.constantFrom("SIGTERM", "SIGKILL", "SIGSEGV", "SIGABRT", "SIGHUP", "SIGINT", "SIGPIPE") },
  { weight: 1, arbitrary: FC.constant(null) }
).map((end): ExitStatus =>
  end === null ? unknown : typeof end === "number" ? { code: end, signal: null } : { code: null, signal: end }
)

/**
 * How a run can end, its reason in keeping with its status: what a `RestartPolicy` is asked about.
 *
 * @since 0.1.0
 * @category ends
 */
export const runEnd: FC.Arbitrary<RunEnd> = FC.tuple(
  exitStatus,
  FC.option(Arbitrary.make(ExitReason)),
  FC.boolean()
).map(([status, why, forced]): RunEnd => {
  switch (why) {
    case "launch-failed":
      return { status: unknown, reason: why, forced: false }
    case "exited-early":
      return { status: { code: 0, signal: null }, reason: why, forced: false }
    case "oom-killed":
      return { status: { code: null, signal: "SIGKILL" }, reason: why, forced: false }
    case "unhealthy":
    case "startup-timeout":
    case "stopped":
      return { status: forced ? { code: null, signal: "SIGKILL" } : status, reason: why, forced }
    default:
      return { status, reason: reasonOf(status), forced: false }
  }
})

/**
 * The end of a run that failed.
 *
 * @since 0.1.0
 * @category ends
 */
export const failure: FC.Arbitrary<RunEnd> = runEnd.filter((end) => !isSuccess(end) && end.reason !== "stopped")

/**
 * A run that failed after so many milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Crash {
  readonly ranMs: number
  readonly end: RunEnd
}

const moment = FC.oneof(FC.constantFrom(0, 1, 999, 1000, 60_000), FC.nat(10_000), FC.nat(100_000_000))

/**
 * One crash after another.
 *
 * @since 0.1.0
 * @category histories
 */
export const crashes = (options: { readonly maxLength?: number } = {}): FC.Arbitrary<ReadonlyArray<Crash>> =>
  FC.array(FC.record({ ranMs: moment, end: failure }), { maxLength: options.maxLength ?? 50 })

/**
 * What one probe saw, and how long it took.
 *
 * @since 0.1.0
 * @category models
 */
export interface Probe {
  readonly healthy: boolean
  readonly detail: string
  readonly tookMs: number
}

const probe: FC.Arbitrary<Probe> = FC.record({ healthy: FC.boolean(), tookMs: FC.nat(10_000) }).chain((seen) =>
  FC.record({
    healthy: FC.constant(seen.healthy),
    tookMs: FC.constant(seen.tookMs),
    detail: seen.healthy
      ? FC.constantFrom("GET /health: 200", "GET /health: 204", "GET /health: 301")
      : FC.constantFrom("GET /health: 503", "connect ECONNREFUSED", "no answer within 5 s")
  })
)

/**
 * What one probe after another saw, long spells of health and of sickness among them.
 *
 * @since 0.1.0
 * @category histories
 */
export const health = (options: { readonly maxLength?: number } = {}): FC.Arbitrary<ReadonlyArray<Probe>> =>
  FC.array(FC.tuple(probe, FC.integer({ min: 1, max: 8 })), { maxLength: options.maxLength ?? 30 }).map((spells) =>
    spells.flatMap(([seen, times]) => Array.from({ length: times }, () => seen)).slice(0, options.maxLength ?? 30)
  )

/**
 * One restart: how long the run before it lasted, and whether it was stable, so that the backoff begins anew.
 *
 * @since 0.1.0
 * @category models
 */
export interface Restart {
  readonly ranMs: number
  readonly wasStable: boolean
}

/**
 * One restart after another, as many as `inARow` and more of them without a stable run in between.
 *
 * @since 0.1.0
 * @category histories
 */
export const restarts = (options: { readonly inARow?: number } = {}): FC.Arbitrary<ReadonlyArray<Restart>> => {
  const seldom = FC.nat(9).map((n) => n === 9)
  const any = FC.array(FC.record({ ranMs: moment, wasStable: seldom }), {
    maxLength: 2 * (options.inARow ?? 20),
    size: "max"
  })
  return FC.tuple(any, FC.boolean()).map(([all, isNeverStable]) =>
    isNeverStable ? all.map(({ ranMs }) => ({ ranMs, wasStable: false })) : all
  )
}

const longest = 2 ** 31

/**
 * The numbers of an exponential backoff, the extremes among them.
 *
 * @since 0.1.0
 * @category rules
 */
export const backoff: FC.Arbitrary<Exponential> = FC.record({
  baseMs: FC.oneof(FC.constantFrom(0, 1, 1000, longest), FC.nat(longest)),
  maxMs: FC.oneof(FC.constantFrom(0, 1, 60_000, longest), FC.nat(longest)),
  jitter: FC.oneof(FC.constantFrom(0, 0.1, 1), FC.double({ min: 0, max: 1, noNaN: true }))
})

/**
 * A restart intensity, 0 and no limit among them.
 *
 * @since 0.1.0
 * @category rules
 */
export const intensity: FC.Arbitrary<Intensity> = FC.record({
  max: FC.oneof(FC.constantFrom(0, 1, 3, Infinity), FC.nat(20)),
  windowMs: FC.oneof(FC.constantFrom(1, 1000, 300_000), FC.nat(1_000_000))
})

/**
 * @since 0.1.0
 * @category rules
 */
export const strategy: FC.Arbitrary<Strategy> = Arbitrary.make(Strategy)

const names = (size: number): FC.Arbitrary<ReadonlyArray<ServiceName>> =>
  FC.uniqueArray(Arbitrary.make(ServiceName), { minLength: 1, maxLength: size })

/**
 * Who depends on whom, without cycles, the names in no particular order.
 *
 * @since 0.1.0
 * @category graphs
 */
export const dependencies = (options: { readonly maxSize?: number } = {}): FC.Arbitrary<Graph<ServiceName>> =>
  names(options.maxSize ?? 12).chain((order) =>
    FC.tuple(
      FC.tuple(...order.map((_, index) => FC.subarray(order.slice(0, index)))),
      FC.shuffledSubarray(order.map((_, index) => index), { minLength: order.length })
    ).map(([dependsOn, shuffled]) =>
      new Map(shuffled.flatMap((index) => {
        const name = order[index]
        return name === undefined ? [] : [[name, dependsOn[index] ?? []] as const]
      }))
    )
  )

/**
 * Who depends on whom, cycles included, and also names that are nobody's.
 *
 * @since 0.1.0
 * @category graphs
 */
export const anyDependencies = (options: { readonly maxSize?: number } = {}): FC.Arbitrary<Graph<ServiceName>> =>
  names(options.maxSize ?? 8).chain((known) => {
    const others = [...known, ServiceName.make("nobody")]
    return FC.tuple(...known.map(() => FC.subarray(others, { maxLength: Math.min(3, others.length) }))).map((all) =>
      new Map(known.map((name, index) => [name, all[index] ?? []]))
    )
  })

const duration = (max: number) => FC.integer({ min: 1, max })

const rules = FC.record({
  health: FC.constantFrom(null, "/health"),
  healthIntervalMs: FC.integer({ min: 10, max: 60_000 }),
  healthRetries: FC.integer({ min: 1, max: 5 }),
  startupTimeoutMs: duration(60_000),
  restart: FC.constantFrom("always" as const, "on-failure" as const, "never" as const),
  maxRestarts: FC.oneof(FC.constant(Infinity), FC.nat(10)),
  restartWindowMs: duration(600_000),
  backoffBaseMs: duration(10_000),
  backoffMaxMs: FC.integer({ min: 10_000, max: 100_000 }),
  backoffJitter: FC.constantFrom(0, 0.1, 1),
  stableAfterMs: FC.nat(100_000),
  stopTimeoutMs: FC.nat(30_000)
})

/**
 * Services that depend on each other without cycles, under all kinds of rules.
 *
 * @since 0.1.0
 * @category configurations
 */
export const services = (options: { readonly maxSize?: number } = {}): FC.Arbitrary<ReadonlyArray<ServiceConfig>> =>
  dependencies(options).chain((graph) =>
    FC.tuple(
      ...[...graph].map(([name, dependsOn]) =>
        rules.map((chosen) => Embed.service({ name, command: ["/usr/bin/env", "true"], dependsOn, ...chosen }))
      )
    )
  )

/**
 * A whole configuration, without groups. Nothing in it names a place that exists.
 *
 * @since 0.1.0
 * @category configurations
 */
export const config = (options: { readonly maxSize?: number } = {}): FC.Arbitrary<TenementConfig> =>
  services(options).map((all) => Embed.config({ services: all, settings: { dataDir: "/nonexistent/tenement" } }))
