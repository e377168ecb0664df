/**
 * Requests that wait until an instance takes them: it sleeps, or is on its way.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import { duration } from "../domain/Explain.ts"
import { elapsed } from "../domain/Instant.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import type { ActorLost } from "./Errors.ts"
import type { InstanceMemory } from "./InstanceMemory.ts"
import { now } from "./Now.ts"
import type { Settled } from "./Waiter.ts"

/**
 * How a wait ended. `reason` is the end of a sentence that begins with the instance.
 *
 * @since 0.1.0
 * @category models
 */
export type Arrival =
  | { readonly _tag: "Served" }
  | { readonly _tag: "TurnedAway"; readonly reason: string; readonly retryAfterMs: number }

/**
 * How many requests may wait for one instance.
 *
 * @since 0.1.0
 * @category constants
 */
export const most = 512

const turnedAway = (reason: string, retryAfterMs = 1000): Arrival => ({ _tag: "TurnedAway", reason, retryAfterMs })

/** Those that wait already; or the first, who asks the actor. `null` where nobody can ask it now. */
const join = (memory: InstanceMemory) =>
  Effect.gen(function*() {
    const { arrivals } = memory
    if (arrivals !== null && !(yield* Deferred.isDone(arrivals.reply))) return arrivals
    const at = yield* now
    const reply = Deferred.unsafeMake<Settled, ActorLost | StoreFailed>(FiberId.none)
    const isAsked = memory.mailbox.unsafeOffer({
      _tag: "Event",
      event: { _tag: "Start", cause: { _tag: "Request" }, at },
      waiter: { until: "ready", since: at, reply, changed: true },
      ticket: null
    })
    if (!isAsked) return null
    memory.arrivals = { waiting: 0, reply }
    return memory.arrivals
  })

/** Where the instance waits itself, it says for how long. */
const untilNextTry = ({ state: { phase } }: InstanceMemory) =>
  Effect.map(now, (at) => phase._tag === "Backoff" && phase.until !== null ? elapsed(at, phase.until) : 1000)

/**
 * Waits until the instance serves, for as long as it may take to start; if it sleeps, it wakes. Who is interrupted makes
 * room for another.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait = (memory: InstanceMemory): Effect.Effect<Arrival> =>
  Effect.gen(function*() {
    const arrivals = yield* join(memory)
    if (arrivals === null) return turnedAway("it has too much to do to be asked")
    if (arrivals.waiting >= most) return turnedAway(`${most} requests wait for it already`)
    const { drainTimeoutMs, startupTimeoutMs } = memory.parts.policy
    const { phase } = memory.state
    // The run before answers what it has first.
    const isDrained = phase._tag === "Ending" && phase.means === "drain"
    const patienceMs = startupTimeoutMs + (isDrained ? drainTimeoutMs : 0)
    arrivals.waiting++
    const settled = yield* Deferred.await(arrivals.reply).pipe(
      Effect.catchAll(({ message }) => Effect.succeed<Settled>({ _tag: "NotReady", reason: message })),
      Effect.timeoutTo({
        duration: patienceMs,
        onSuccess: (settled) => settled,
        onTimeout: (): Settled => ({
          _tag: "NotReady",
          reason: `it was not ready within ${duration(patienceMs)}`
        })
      }),
      Effect.ensuring(Effect.sync(() => arrivals.waiting--))
    )
    return settled._tag === "Done"
      ? { _tag: "Served" }
      : turnedAway(settled.reason, yield* untilNextTry(memory))
  })
