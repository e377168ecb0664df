/**
 * Laws that a schedule must keep to serve as backoff, to be run on one's own.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { stepper } from "../layers/Backoff.ts"
import * as Arbitraries from "./Arbitraries.ts"

/**
 * A schedule and what it is meant to do.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScheduleOptions {
  readonly schedule: Schedule.Schedule<unknown>
  /** No delay is shorter, jitter included. */
  readonly min: Duration.DurationInput
  /** No delay is longer, jitter included. */
  readonly max: Duration.DurationInput
  /** Whether no delay is shorter than the one before it until the backoff begins anew; `false` if not given. */
  readonly grows?: boolean
  /** After how many restarts in a row it is done, so that the instance is given up; if not given, it never is. */
  readonly ends?: number
}

/**
 * What a law is tried on: restarts, when the first of them is, and the seed of `Random`.
 *
 * @since 0.1.0
 * @category models
 */
export interface History {
  readonly seed: number
  readonly startMs: number
  readonly restarts: ReadonlyArray<Arbitraries.Restart>
}

const shown = (delay: number | null | undefined): string =>
  delay === null ? "done" : delay === undefined ? "nothing" : `${Math.round(delay * 1000) / 1000} ms`

/**
 * The schedule does not do what it is meant to do. `history` is the smallest that was found, `delays` what the
 * schedule answered to it (`null`: it was done).
 *
 * @since 0.1.0
 * @category errors
 */
export class LawBroken extends Schema.TaggedError<LawBroken>()("LawBroken", {
  law: Schema.String,
  detail: Schema.String,
  history: Schema.Struct({
    seed: Schema.Int,
    startMs: Schema.Number,
    restarts: Schema.Array(Schema.Struct({ ranMs: Schema.Number, wasStable: Schema.Boolean }))
  }),
  delays: Schema.Array(Schema.NullOr(Schema.Number))
}) {
  override get message() {
    const told = this.history.restarts.map(({ ranMs, wasStable }, index) => {
      const delay = this.delays[index] ?? null
      return `  ran ${ranMs} ms${wasStable ? ", was stable" : ""}: ${shown(delay)}`
    })
    return [
      `the schedule breaks the law "${this.law}": ${this.detail}`,
      `at ${this.history.startMs} ms, with the random seed ${this.history.seed}:`,
      ...told
    ].join("\n")
  }
}

type Delays = ReadonlyArray<number | null>

/** Time that passes only where the history says so, and where the schedule itself sleeps. */
const clockAt = (startMs: number) => {
  let nowMs = startMs
  const millis = () => nowMs
  const nanos = () => BigInt(Math.round(nowMs * 1e6))
  const pass = (ms: number) => {
    nowMs += ms
  }
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => Effect.sync(() => pass(Duration.toMillis(duration)))
  }
  return { clock, pass, millis }
}

/** A row of restarts without a stable run in between, and when it begins. */
interface Row {
  readonly startMs: number
  readonly delays: Delays
}

/**
 * Steps the schedule as an instance's actor does. One that is done begins anew, as when a person starts what was given
 * up. Each row of restarts has the same luck, so that rows can be compared.
 */
const rowsOf = (schedule: Schedule.Schedule<unknown>, { restarts, seed, startMs }: History) =>
  Effect.gen(function*() {
    const { clock, millis, pass } = clockAt(startMs)
    const { next, reset } = stepper(schedule)
    const rows: Array<{ readonly startMs: number; readonly delays: Array<number | null> }> = []
    let random = Random.make(seed)
    let begins = true
    for (const { ranMs, wasStable } of restarts) {
      pass(ranMs)
      if (wasStable) yield* reset
      if (wasStable || begins) {
        random = Random.make(seed)
        rows.push({ startMs: millis(), delays: [] })
      }
      const answer = yield* next.pipe(Effect.withClock(clock), Effect.withRandom(random))
      const delay = Option.getOrNull(answer)
      rows.at(-1)?.delays.push(delay)
      begins = delay === null
      if (delay === null) yield* reset
      else pass(Math.ceil(delay))
    }
    return rows
  })

const list = (delays: Delays = []): string => delays.map(shown).join()

const same = (a: Delays, b: Delays): boolean => a.length === b.length && a.every((delay, index) => delay === b[index])

/** What a sum of a date and a fraction of a millisecond may lose. */
const rounding = 0.001

interface Law {
  readonly name: string
  /** What breaks it, if anything does. */
  readonly broken: (history: History, rows: ReadonlyArray<Row>) => Effect.Effect<string | undefined>
}

const ofEach =
  (look: (delay: number | null, index: number, row: Delays) => string | undefined): Law["broken"] => (_, rows) =>
    Effect.sync(() => {
      for (const { delays } of rows) {
        for (const [index, delay] of delays.entries()) {
          const problem = look(delay, index, delays)
          if (problem !== undefined) return problem
        }
      }
      return undefined
    })

const ordinal = (index: number): string => `restart ${index + 1} in a row`

const laws = ({ ends, grows = false, max, min, schedule }: ScheduleOptions): ReadonlyArray<Law> => {
  const minMs = Duration.toMillis(min)
  const maxMs = Duration.toMillis(max)
  const inside = (delay: number) =>
    Number.isFinite(delay) && delay >= 0 && delay >= minMs - rounding && delay <= maxMs + rounding
  return [
    {
      name: `every delay is from ${minMs} to ${maxMs} ms`,
      broken: ofEach((delay, index) =>
        delay === null || inside(delay) ? undefined : `${ordinal(index)} waits ${shown(delay)}`
      )
    },
    {
      name: ends === undefined ? "it never ends" : `it ends after ${ends} restarts in a row`,
      broken: ofEach((delay, index) =>
        (delay === null) === (index === ends) ? undefined : `${ordinal(index)} got ${shown(delay)}`
      )
    },
    {
      name: "the same history and the same luck give the same delays",
      broken: (history, rows) =>
        Effect.map(rowsOf(schedule, history), (again) => {
          const index = rows.findIndex(({ delays }, at) => !same(delays, again[at]?.delays ?? []))
          return index < 0
            ? undefined
            : `${list(rows[index]?.delays)} at first, ${list(again[index]?.delays)} then`
        })
    },
    {
      name: "after a reset it begins anew",
      broken: ({ restarts, seed }, rows) =>
        Effect.gen(function*() {
          let from = 0
          for (const { delays, startMs } of rows) {
            const row = restarts.slice(from, from + delays.length)
            const [first, ...others] = row
            from += delays.length
            if (first === undefined) continue
            const fresh = yield* rowsOf(schedule, { seed, startMs, restarts: [{ ...first, ranMs: 0 }, ...others] })
            const expected = fresh[0]?.delays ?? []
            if (!same(delays, expected)) {
              return `after a reset it gives ${list(delays)}, a new one gives ${list(expected)}`
            }
          }
          return undefined
        })
    },
    ...(grows
      ? [{
        name: "no delay is shorter than the one before",
        broken: ofEach((delay, index, row) => {
          const before = row[index - 1]
          return delay === null || before === null || before === undefined || delay >= before - rounding
            ? undefined
            : `${ordinal(index)} waits ${shown(delay)}, the one before ${shown(before)}`
        })
      }]
      : [])
  ]
}

const check = (options: ScheduleOptions) => {
  const all = laws(options)
  return (history: History): Effect.Effect<void, LawBroken> =>
    Effect.gen(function*() {
      const rows = yield* rowsOf(options.schedule, history)
      for (const { broken, name } of all) {
        const detail = yield* broken(history, rows)
        if (detail !== undefined) {
          yield* new LawBroken({ law: name, detail, history, delays: rows.flatMap(({ delays }) => delays) })
        }
      }
    })
}

const histories = ({ ends = 20 }: ScheduleOptions): FC.Arbitrary<History> =>
  FC.record({
    seed: FC.nat(),
    startMs: FC.integer({ min: 0, max: 4_000_000_000_000 }),
    restarts: Arbitraries.restarts({ inARow: ends + 2 })
  })

/** fast-check knows promises only, and what they reject with is what it shows. What is interrupted has nothing to show. */
const propertyIn = (runtime: Runtime.Runtime<never>, options: ScheduleOptions, signal: AbortSignal) => {
  const holds = check(options)
  const run = Runtime.runPromise(runtime)
  return FC.asyncProperty(histories(options), async (history) => {
    if (signal.aborted) return
    Either.getOrThrowWith(await run(Effect.either(holds(history)), { signal }), (broken) => broken)
  })
}

/**
 * The laws as a property of fast-check, for `FC.assert` and the runners built on it.
 *
 * @example
 * ```ts
 * import * as FC from "effect/FastCheck"
 * import * as Schedule from "effect/Schedule"
 * import { Laws } from "tenement/testkit"
 *
 * const schedule = Schedule.spaced("1 second")
 *
 * await FC.assert(Laws.scheduleProperty({ schedule, min: "1 second", max: "1 second" }))
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const scheduleProperty = (options: ScheduleOptions): FC.IAsyncProperty<[History]> =>
  propertyIn(Runtime.defaultRuntime, options, new AbortController().signal)

/**
 * The laws as an effect, for any test framework: it fails with the smallest history that breaks one.
 *
 * - every delay is finite and from `min` to `max`, whatever `Random` says
 * - it never ends, or ends after exactly `ends` restarts in a row
 * - after a reset it begins anew, and two instances that share the schedule do not disturb each other
 * - the same history and the same luck give the same delays
 * - with `grows`, no delay is shorter than the one before
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 * import { Laws } from "tenement/testkit"
 *
 * const schedule = Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("5 seconds")))
 *
 * await Effect.runPromise(Laws.schedule({ schedule, min: "100 millis", max: "5 seconds", grows: true }))
 * ```
 *
 * @since 0.1.0
 * @category laws
 */
export const schedule = Effect.fn("Laws.schedule")(
  function*(options: ScheduleOptions, parameters: FC.Parameters<[History]> = {}) {
    const runtime = yield* Effect.runtime()
    const details = yield* Effect.promise((signal) =>
      Promise.resolve(FC.check(propertyIn(runtime, options, signal), parameters))
    )
    if (details.errorInstance instanceof LawBroken) yield* details.errorInstance
    if (details.failed) yield* Effect.die(details.errorInstance)
  }
)
