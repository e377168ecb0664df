/**
 * What happens in one simulated life: drawn from a seed in full before it begins, so that it can be told, replayed and cut
 * down to what matters.
 */
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import type { Behaviour, LaunchFault } from "../../src/testkit/Program.ts"
import type { Damage } from "../../src/testkit/SimulatedStore.ts"
import { config, group, on, service } from "../actors/Machine.ts"
import { Choices } from "./Random.ts"

type Verb = "start" | "stop" | "restart" | "remove" | "spawn"

export type Action =
  | { readonly _tag: "ask"; readonly verb: Verb; readonly instance: string }
  /** More at once than an instance's mailbox holds, while the disk is slow. */
  | { readonly _tag: "flood"; readonly verb: "start" | "stop" | "restart"; readonly instance: string }
  /** Whoever asked for something last does not wait for the answer. */
  | { readonly _tag: "leave" }
  | { readonly _tag: "reload"; readonly variant: number }
  /** Through the gateway; its answer takes so long. */
  | { readonly _tag: "request"; readonly instance: string; readonly answerMs: number }
  | { readonly _tag: "exit"; readonly instance: string; readonly code: number | null; readonly signal: string | null }
  | { readonly _tag: "oom"; readonly instance: string; readonly isLeader: boolean }
  | { readonly _tag: "behave"; readonly service: string; readonly behaviour: Partial<Behaviour> }
  | {
    readonly _tag: "disk"
    readonly isFull: boolean
    readonly syncMs: number
    readonly fails: "once" | "always" | null
  }
  /** The wall clock is set. */
  | { readonly _tag: "clock"; readonly byMs: number }
  /** Timers go off late, and several at once. */
  | { readonly _tag: "timers"; readonly tickMs: number }
  /** The supervisor's process stands still. */
  | { readonly _tag: "pause"; readonly ms: number }
  /** `kill -9` of the supervisor, so many steps of its fibers from now. */
  | { readonly _tag: "kill"; readonly steps: number }
  | { readonly _tag: "power"; readonly damage: Damage | null }
  /** SIGTERM to the supervisor, which may be killed before it is done. */
  | { readonly _tag: "shutdown"; readonly killedAfterMs: number | null }

export interface Step {
  /** `edge` is the moment at which the next thing happens by itself, just before it does. */
  readonly afterMs: number | "edge"
  readonly action: Action
  /** What comes next comes before any of the two was begun. */
  readonly isTogether: boolean
}

export interface Plan {
  readonly seed: number
  readonly variants: readonly [TenementConfig, ...ReadonlyArray<TenementConfig>]
  readonly hasCgroups: boolean
  readonly reusesPids: boolean
  readonly steps: ReadonlyArray<Step>
}

export const services = ["a", "b", "c", "d", "e"] as const
type Names = readonly [string, ...ReadonlyArray<string>]

const policies: readonly [Partial<ServiceConfig>, ...ReadonlyArray<Partial<ServiceConfig>>] = [
  {},
  { restart: "always", maxRestarts: 1 },
  { restart: "never" },
  { maxRestarts: 0 },
  { maxRestarts: Infinity, health: "/health", stableAfterMs: 700, backoffMaxMs: 300, backoffJitter: 0.2 },
  { health: "/health", healthIntervalMs: 100, healthRetries: 2, startupTimeoutMs: 700, restartWindowMs: 2000 },
  { stopTimeoutMs: 0, backoffBaseMs: 10, backoffMaxMs: 40, restartWindowMs: 100 },
  { backoffBaseMs: 300, backoffMaxMs: 5000, stopTimeoutMs: 300, backoffJitter: 0.5 },
  { memoryLimitBytes: 64 * 1024 ** 2, restart: "always", maxRestarts: 5 }
]

/** A small tree shows most of what a large one does, and is lived faster: half of all have no more than three services. */
const sizeOf = (choices: Choices): number => choices.chance(50) ? 1 + choices.below(3) : 4 + choices.below(2)

const variantOf = (choices: Choices, present: ReadonlyArray<string>): TenementConfig => {
  const strategy: Strategy = choices.of(["one-for-one", "one-for-all", "rest-for-one"])
  const own = (name: string) =>
    service(name, {
      ...choices.of(policies),
      ...(choices.chance(20) ? { env: { NEW: String(choices.below(3)) } } : {})
    })
  const all = present
    .filter((name) => name === "a" || choices.chance(85))
    .map((name) => name === "b" ? { ...own(name), dependsOn: on("a") } : own(name))
  const members = all.map(({ name }) => name).filter((name) => ["c", "d", "e"].includes(name))
  const isGrouped = members.length > 1 && choices.chance(60)
  return config(all, isGrouped ? [group("shop", strategy, members, { maxRestarts: choices.of([0, 1, 3]) })] : [])
}

const faults: readonly [LaunchFault, ...ReadonlyArray<LaunchFault>] = [
  "EAGAIN",
  "EMFILE",
  "ENOMEM",
  "ENOENT",
  "EACCES",
  "E2BIG",
  "throws",
  "cgroup",
  "isolation"
]

const behaviourOf = (choices: Choices): Partial<Behaviour> => {
  switch (choices.below(11)) {
    case 0:
      return { ignoresTerm: choices.chance(50) }
    case 1:
      return { failsToLaunch: choices.chance(60) ? choices.of(faults) : false }
    case 2:
      return { getsReady: choices.chance(50) }
    case 3:
    case 4:
      return { healthy: choices.chance(40) }
    case 5:
      return { broken: choices.of([null, "health", "readiness", "prepare", "backoff", "policy"]) }
    case 6:
      return { actorDies: choices.chance(30) }
    case 7:
      return { launchMs: choices.of([0, 1, 20]) }
    case 8:
      return { leavesStrays: choices.chance(50) }
    case 9:
      return choices.chance(50)
        ? { endsAtOnce: choices.of([null, { code: 0 }, { code: 1 }, { signal: "SIGSEGV" }]) }
        : { probeMs: choices.of([0, 1, 60, 300]), answersLate: choices.chance(50) }
    default:
      return { stopMs: choices.of([0, 1, 60, 400]) }
  }
}

const damageOf = (choices: Choices): Damage | null =>
  choices.chance(50) ? null : { how: choices.of(["torn", "flipped", "stale"]), where: choices.below(100) / 100 }

const verbs: readonly [Verb, ...ReadonlyArray<Verb>] = [
  "start",
  "stop",
  "restart",
  "start",
  "stop",
  "restart",
  "remove",
  "spawn"
]

const exitOf = (choices: Choices, names: Names): Action => {
  const instance = choices.of(names)
  if (choices.chance(8)) return { _tag: "oom", instance, isLeader: choices.chance(70) }
  const code = choices.of([0, 1, 1, null])
  return { _tag: "exit", instance, code, signal: code === null ? "SIGSEGV" : null }
}

/** Whatever is wrong with the time. */
const timeOf = (choices: Choices): Action => {
  switch (choices.below(3)) {
    case 0:
      return { _tag: "clock", byMs: choices.of([3_600_000, -3_600_000]) }
    case 1:
      return { _tag: "timers", tickMs: choices.of([1, 10, 100]) }
    default:
      return { _tag: "pause", ms: choices.of([50, 700, 30_000]) }
  }
}

type Drawn = (choices: Choices, names: Names, present: Names) => Action

const ask: Drawn = (choices, names) => ({ _tag: "ask", verb: choices.of(verbs), instance: choices.of(names) })

/** What goes wrong in half of all lives, each of them, and how often it does there. */
const swarm: ReadonlyArray<readonly [often: number, Drawn]> = [
  [90, (choices) => ({ _tag: "kill", steps: choices.of([0, 1, 2, 3, 5, 8, 13, 30, 80, 200, 1000]) })],
  [40, (choices) => ({ _tag: "shutdown", killedAfterMs: choices.chance(60) ? choices.of([0, 1, 60, 400]) : null })],
  [40, (choices) => ({ _tag: "power", damage: damageOf(choices) })],
  [80, (choices) => ({
    _tag: "disk",
    isFull: choices.chance(30),
    syncMs: choices.of([0, 0, 1, 30]),
    fails: choices.of([null, null, null, "once", "always"])
  })],
  [80, timeOf],
  [80, (choices) => ({ _tag: "reload", variant: choices.below(2) })],
  [5, (choices, names) => ({
    _tag: "flood",
    verb: choices.of(["start", "stop", "restart"]),
    instance: choices.of(names)
  })],
  [20, () => ({ _tag: "leave" })]
]

/** What happens in every life. */
const always: ReadonlyArray<readonly [often: number, Drawn]> = [
  [270, ask],
  [270, exitOf],
  [210, (choices, _, present) => ({ _tag: "behave", service: choices.of(present), behaviour: behaviourOf(choices) })]
]

const drawOf = (choices: Choices, kinds: ReadonlyArray<readonly [often: number, Drawn]>): Drawn => {
  let at = choices.below(kinds.reduce((sum, [often]) => sum + often, 0))
  return kinds.find(([often]) => (at -= often) < 0)?.[1] ?? ask
}

/** Who is not used sleeps, and requests come. */
const drowsy = (plan: Plan, choices: Choices, names: Names): Plan => {
  const sleeping = (variant: TenementConfig): TenementConfig => ({
    ...variant,
    services: new Map([...variant.services].map(([name, service]) => [
      name,
      choices.chance(70) ? { ...service, idleTimeoutMs: choices.of([20, 300, 2000]) } : service
    ]))
  })
  const request = (): Step => ({
    afterMs: choices.of([0, 1, 100, 700, 5000, "edge"]),
    action: { _tag: "request", instance: choices.of(names), answerMs: choices.of([0, 10, 700]) },
    isTogether: choices.chance(20)
  })
  const [first, ...others] = plan.variants
  return {
    ...plan,
    variants: [sleeping(first), ...others.map(sleeping)],
    steps: plan.steps.flatMap((step) => choices.chance(40) ? [request(), step] : [step])
  }
}

/** The plan of a seed. */
export const of = (seed: number): Plan => {
  const choices = new Choices(seed)
  const [first, ...others] = services
  const present: Names = [first, ...others.slice(0, sizeOf(choices) - 1)]
  const names: Names = ["a", "a:two", ...present.slice(1)]
  const variants = [variantOf(choices, present), variantOf(choices, present)] as const
  const length = 4 + choices.below(28)
  const hasCgroups = choices.chance(70)
  const reusesPids = choices.chance(30)
  const kinds = [...always, ...swarm.filter(() => choices.chance(50))]
  const steps = Array.from({ length }, (): Step => ({
    afterMs: choices.of([0, 0, 0, 1, 10, 100, 100, 700, 5000, "edge", "edge", "edge"]),
    action: drawOf(choices, kinds)(choices, names, present),
    isTogether: choices.chance(20)
  }))
  const plan = { seed, variants, hasCgroups, reusesPids, steps }
  // Of a stream of their own: all other lives are what they would be without.
  const sleep = new Choices(~seed)
  return sleep.chance(25) ? drowsy(plan, sleep, names) : plan
}

/** A step as a person reads it. */
export const tell = ({ action, afterMs, isTogether }: Step): string => {
  const { _tag, ...rest } = action
  const when = afterMs === "edge" ? "just before what is next" : `+${afterMs} ms`
  const words = Object.values(rest).map((value) => JSON.stringify(value)).join(" ")
  return `${when}: ${_tag} ${words}${isTogether ? ", and together with that" : ""}`
}
