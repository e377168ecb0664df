/**
 * What happens in one simulated life: drawn from a seed in full before it begins, so that it can be told, replayed and cut
 * down to what matters.
 */
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import type { Behaviour } from "../../src/testkit/Machine.ts"
import { config, group, on, service } from "../actors/Machine.ts"
import { Choices } from "./Random.ts"

export type Action =
  | {
    readonly _tag: "ask"
    readonly verb: "start" | "stop" | "restart" | "remove" | "spawn"
    readonly instance: string
  }
  | { readonly _tag: "reload"; readonly variant: number }
  | { readonly _tag: "exit"; readonly instance: string; readonly code: number | null; readonly signal: string | null }
  | { readonly _tag: "behave"; readonly service: string; readonly behaviour: Partial<Behaviour> }
  | { readonly _tag: "disk"; readonly isFull: boolean; readonly syncMs: number }
  /** `kill -9` of the supervisor, so many steps of its fibers from now. */
  | { readonly _tag: "kill"; readonly steps: number }
  | { readonly _tag: "power" }
  | { readonly _tag: "shutdown" }

export interface Step {
  readonly afterMs: number
  readonly action: Action
}

export interface Plan {
  readonly seed: number
  readonly variants: readonly [TenementConfig, ...ReadonlyArray<TenementConfig>]
  readonly steps: ReadonlyArray<Step>
}

export const services = ["a", "b", "c", "d", "e"] as const
const names = ["a", "a:two", "b", "c", "d", "e"] as const

const policies: readonly [Partial<ServiceConfig>, ...ReadonlyArray<Partial<ServiceConfig>>] = [
  {},
  { restart: "always", maxRestarts: 1 },
  { restart: "never" },
  { maxRestarts: 0 },
  { maxRestarts: Infinity, health: "/health", stableAfterMs: 700 },
  { health: "/health", healthIntervalMs: 100, healthRetries: 2, startupTimeoutMs: 700, restartWindowMs: 2000 },
  { stopTimeoutMs: 0, backoffBaseMs: 10, backoffMaxMs: 40, restartWindowMs: 100 },
  { backoffBaseMs: 300, backoffMaxMs: 5000, stopTimeoutMs: 300 }
]

const variantOf = (choices: Choices): TenementConfig => {
  const strategy: Strategy = choices.of(["one-for-one", "one-for-all", "rest-for-one"])
  const own = (name: string) =>
    service(name, {
      ...choices.of(policies),
      ...(choices.chance(20) ? { env: { NEW: String(choices.below(3)) } } : {})
    })
  const all = services
    .filter((name) => name === "a" || choices.chance(85))
    .map((name) => name === "b" ? { ...own(name), dependsOn: on("a") } : own(name))
  const members = all.map(({ name }) => name).filter((name) => ["c", "d", "e"].includes(name))
  const isGrouped = members.length > 1 && choices.chance(50)
  return config(all, isGrouped ? [group("shop", strategy, members, { maxRestarts: choices.of([0, 1, 3]) })] : [])
}

const behaviourOf = (choices: Choices): Partial<Behaviour> => {
  switch (choices.below(9)) {
    case 0:
      return { ignoresTerm: choices.chance(50) }
    case 1:
      return { failsToLaunch: choices.chance(50) }
    case 2:
      return { getsReady: choices.chance(50) }
    case 3:
      return { healthy: choices.chance(50) }
    case 4:
      return { broken: choices.of([null, "health", "readiness", "prepare", "backoff"]) }
    case 5:
      return { actorDies: choices.chance(30) }
    case 6:
      return { launchMs: choices.of([0, 1, 20]) }
    case 7:
      return { leavesStrays: choices.chance(50) }
    default:
      return { stopMs: choices.of([0, 1, 60, 400]) }
  }
}

const actionOf = (choices: Choices, variants: number): Action => {
  const at = choices.below(100)
  if (at < 26) {
    return {
      _tag: "ask",
      verb: choices.of(["start", "stop", "restart", "start", "stop", "restart", "remove", "spawn"]),
      instance: choices.of(names)
    }
  }
  if (at < 31) return { _tag: "reload", variant: choices.below(variants) }
  if (at < 61) {
    const code = choices.of([0, 1, 1, null])
    return { _tag: "exit", instance: choices.of(names), code, signal: code === null ? "SIGSEGV" : null }
  }
  if (at < 81) return { _tag: "behave", service: choices.of(services), behaviour: behaviourOf(choices) }
  if (at < 85) return { _tag: "disk", isFull: choices.chance(40), syncMs: choices.of([0, 0, 1, 30]) }
  if (at < 96) return { _tag: "kill", steps: choices.of([0, 1, 2, 3, 5, 8, 13, 30, 80, 200, 1000]) }
  return at < 98 ? { _tag: "power" } : { _tag: "shutdown" }
}

/** The plan of a seed. */
export const of = (seed: number): Plan => {
  const choices = new Choices(seed)
  const variants = [variantOf(choices), variantOf(choices)] as const
  const length = 4 + choices.below(28)
  const steps = Array.from({ length }, (): Step => ({
    afterMs: choices.of([0, 0, 0, 1, 10, 100, 100, 700, 5000]),
    action: actionOf(choices, variants.length)
  }))
  return { seed, variants, steps }
}

/** A step as a person reads it. */
export const tell = ({ action, afterMs }: Step): string => {
  const { _tag, ...rest } = action
  return `+${afterMs} ms: ${_tag} ${Object.values(rest).map((value) => JSON.stringify(value)).join(" ")}`
}
