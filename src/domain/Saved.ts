/**
 * What a supervisor writes down of an instance, for the one that comes after it: plain data, and how to go on from it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Cause } from "./Cause.ts"
import { ExitReason, ExitStatus } from "./Exit.ts"
import { type InstanceState, isAsleep, type Phase } from "./InstanceState.ts"
import { type Instant, plus } from "./Instant.ts"
import { ServiceName } from "./Names.ts"
import { Overrides } from "./Overrides.ts"

const At: Schema.Schema<Instant> = Schema.Struct({ mono: Schema.Number, wall: Schema.Number })

const Run = Schema.Struct({ pid: Schema.Int, since: At })

const Next = Schema.Union(
  Schema.TaggedStruct("stop", { cause: Cause }),
  Schema.TaggedStruct("start", { cause: Cause, automatic: Schema.Boolean }),
  Schema.TaggedStruct("retry", { reason: ExitReason, cause: Cause }),
  Schema.TaggedStruct("fail", { cause: Cause }),
  Schema.TaggedStruct("sleep", { cause: Cause })
)

const PhaseSchema = Schema.Union(
  Schema.TaggedStruct("Stopped", {}),
  Schema.TaggedStruct("Waiting", { services: Schema.Array(ServiceName) }),
  Schema.TaggedStruct("Launching", {}),
  Schema.TaggedStruct("Starting", { run: Run, detail: Schema.String }),
  Schema.TaggedStruct("Up", { run: Run, failures: Schema.Int }),
  Schema.TaggedStruct("Ending", {
    run: Schema.NullOr(Run),
    end: Schema.NullOr(ExitStatus),
    means: Schema.Literal("drain", "signal", "kill", "sweep"),
    shown: Schema.Literal("stopping", "unhealthy"),
    next: Next
  }),
  Schema.TaggedStruct("Backoff", { until: Schema.NullOr(At), delayMs: Schema.Number }),
  Schema.TaggedStruct("Sleeping", {}),
  Schema.TaggedStruct("Completed", {}),
  Schema.TaggedStruct("Failed", { cause: Cause })
)

const State = Schema.Struct({
  phase: PhaseSchema,
  wanted: Schema.Literal("running", "stopped", "unasked"),
  incarnation: Schema.Int,
  newest: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  attempt: Schema.Int,
  restarts: Schema.Int,
  history: Schema.Array(Schema.Number),
  lastEnd: Schema.NullOr(Schema.Struct({
    status: ExitStatus,
    reason: ExitReason,
    forced: Schema.Boolean,
    at: At
  }))
})

/**
 * What tells a run's process from every other, and what it has of the machine.
 *
 * @since 0.1.0
 * @category models
 */
export const SavedRun = Schema.Struct({
  incarnation: Schema.Int,
  pid: Schema.Int,
  /** `/proc/PID/stat`, field 22. */
  startTime: Schema.String,
  endpoint: Schema.Struct({
    publicPath: Schema.String,
    privatePath: Schema.String,
    port: Schema.NullOr(Schema.Int)
  }),
  wrapper: Schema.NullOr(Schema.Struct({
    depth: Schema.Int,
    report: Schema.String,
    signal: Schema.optional(Schema.NonEmptyArray(Schema.String))
  })),
  /** What its cgroup limits it to; `null` where it has none. */
  limits: Schema.NullOr(Schema.Struct({
    memoryLimitBytes: Schema.NullOr(Schema.Number),
    cpuShares: Schema.NullOr(Schema.Number),
    cpuLimit: Schema.NullOr(Schema.Number),
    pidsLimit: Schema.NullOr(Schema.Number)
  })),
  /** A digest of the configuration that it was begun by. */
  config: Schema.String,
  /** How often the kernel had killed in it for memory, as far as that was told. */
  oomKills: Schema.Int,
  /** Whether it was begun beside another run, and its cgroup has the number of it in its name. */
  isBeside: Schema.optionalWith(Schema.Boolean, { default: () => false })
})
/** @since 0.1.0 */
export type SavedRun = typeof SavedRun.Type

/**
 * From which start of the machine something is, and by which clock: `origin` is what the writer's monotonic clock is ahead
 * of the kernel's, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export const Session = Schema.Struct({ boot: Schema.String, origin: Schema.Number })
/** @since 0.1.0 */
export type Session = typeof Session.Type

/**
 * Everything about one instance.
 *
 * @since 0.1.0
 * @category models
 */
export const Saved = Schema.Struct({
  /** Of who wrote it. */
  session: Session,
  state: State,
  run: Schema.NullOr(SavedRun),
  /** The runs beside the one of `state`, and what there is of them; left out where there is none. */
  beside: Schema.optional(Schema.Struct({
    successor: Schema.NullOr(State),
    retiring: Schema.Array(State),
    failure: Schema.NullOr(Schema.String),
    runs: Schema.Array(SavedRun)
  })),
  /** What a person has said of it; left out where the file says all. */
  overrides: Schema.optional(Overrides),
  /** When timers end, by task, on the monotonic clock of who wrote it. */
  deadlines: Schema.Record({ key: Schema.String, value: Schema.Number }),
  /** Automatic restarts, by how the run before ended. */
  restarts: Schema.Record({ key: Schema.String, value: Schema.Int }),
  /** Whether the file lists it. One that was spawned by hand is in nobody's file. */
  isListed: Schema.Boolean
})
/** @since 0.1.0 */
export type Saved = typeof Saved.Type

/**
 * When an instance's timers end, by task, on the monotonic clock.
 *
 * @since 0.1.0
 * @category models
 */
export type Deadlines = Saved["deadlines"]

const later = (at: Instant, ms: number): Instant => ({ ...plus(at, ms), wall: at.wall })

const laterPhase = (phase: Phase, ms: number): Phase => {
  switch (phase._tag) {
    case "Starting":
    case "Up":
      return { ...phase, run: { ...phase.run, since: later(phase.run.since, ms) } }
    case "Ending":
      return phase.run === null ? phase : { ...phase, run: { ...phase.run, since: later(phase.run.since, ms) } }
    case "Backoff":
      return phase.until === null ? phase : { ...phase, until: later(phase.until, ms) }
    default:
      return phase
  }
}

/**
 * Times of restarts, on the clock of today. With the machine its clock began anew, and nothing before is in any window.
 *
 * @since 0.1.0
 * @category combinators
 */
export const since = (history: ReadonlyArray<number>, then: Session, now: Session): ReadonlyArray<number> =>
  then.boot === now.boot ? history.map((at) => at + now.origin - then.origin) : []

const today = (state: InstanceState, then: Session, now: Session): InstanceState => {
  const behindMs = now.origin - then.origin
  return {
    ...state,
    phase: laterPhase(state.phase, behindMs),
    history: since(state.history, then, now),
    lastEnd: state.lastEnd === null ? null : { ...state.lastEnd, at: later(state.lastEnd.at, behindMs) }
  }
}

/** A person has stopped who slept, and was told so when the wish was written down: that it is stopped was to follow. */
const asWished = (state: InstanceState): InstanceState =>
  state.phase._tag === "Sleeping" && state.wanted === "stopped" ? { ...state, phase: { _tag: "Stopped" } } : state

/** What was up, or on its way, is to be started anew; what a person stopped, what gave up, and what sleeps stays as it is. */
const afterTheEnd = (state: InstanceState): Phase =>
  state.phase._tag === "Failed"
    ? state.phase
    : isAsleep(state) && state.wanted !== "stopped"
    ? { _tag: "Sleeping" }
    : { _tag: "Stopped" }

/**
 * What was written down, in the terms of the clock of today (`now`). Where everything was stopped in order, or nothing can
 * have outlived its writer, nothing runs, and a job that was done is to be done again, as after any start of the machine.
 *
 * @since 0.1.0
 * @category combinators
 */
export const revive = (saved: Saved, now: Session, stoppedAll: boolean): Saved => {
  const { beside, deadlines, run, session, state } = saved
  const isSameBoot = session.boot === now.boot
  const behindMs = now.origin - session.origin
  const known = asWished(today(state, session, now))
  const isOver = !isSameBoot || stoppedAll
  return {
    ...saved,
    session: now,
    state: isOver ? { ...known, phase: afterTheEnd(known), attempt: 0 } : known,
    run: isOver ? null : run,
    beside: isOver || beside === undefined ? undefined : {
      ...beside,
      successor: beside.successor === null ? null : today(beside.successor, session, now),
      retiring: beside.retiring.map((state) => today(state, session, now))
    },
    deadlines: isOver
      ? {}
      : Object.fromEntries(Object.entries(deadlines).map(([task, at]) => [task, at + behindMs]))
  }
}
