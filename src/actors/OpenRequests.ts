/**
 * The requests that a run is busy with, and when it last had one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { now } from "./Now.ts"

/**
 * Belongs to one run, and is written by whoever passes requests on to it. A stream and a tunnel are open until they are
 * closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenRequests {
  open: number
  /** Those of them that have become tunnels: there is no answer to be waited for any more. */
  tunnels: number
  /** The connections to it that the gateway has, in use or kept for the next request. */
  connections: number
  /** When one last began or ended; at first, when the run began. Milliseconds of the monotonic clock. */
  lastAt: number
  /** The run was given time for what is open, and that is over. */
  isOverdue: boolean
  /** Told once, when none has an answer to come. */
  waiting: ReadonlyArray<() => void>
}

const nobody: ReadonlyArray<() => void> = []

/**
 * None, for now.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<OpenRequests> = Effect.map(
  now,
  ({ mono }) => ({ open: 0, tunnels: 0, connections: 0, lastAt: mono, isOverdue: false, waiting: nobody })
)

/**
 * One that came by another way than ours was seen, at this moment of the monotonic clock.
 *
 * @since 0.1.0
 * @category combinators
 */
export const touch = (requests: OpenRequests, mono: number): void => {
  requests.lastAt = mono
}

/**
 * How many have an answer to come.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unanswered = ({ open, tunnels }: OpenRequests): number => open - tunnels

const look = (requests: OpenRequests): void => {
  if (unanswered(requests) > 0) return
  const told = requests.waiting
  requests.waiting = nobody
  for (const tell of told) tell()
}

const once = (act: () => void): () => void => {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}

/**
 * One begins. What it gives ends it, and does so once however often it is called. Plain functions: see `Traffic`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const enter = (requests: OpenRequests, mono: () => number): () => void => {
  touch(requests, mono())
  requests.open++
  return once(() => {
    requests.open--
    touch(requests, mono())
    look(requests)
  })
}

/**
 * One that `end` ends has become a tunnel. What it gives ends that.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tunnel = (requests: OpenRequests, end: () => void): () => void => {
  requests.tunnels++
  look(requests)
  return once(() => {
    requests.tunnels--
    end()
  })
}

/**
 * The gateway has one connection more, until what it gives is called.
 *
 * @since 0.1.0
 * @category combinators
 */
export const connected = (requests: OpenRequests): () => void => {
  requests.connections++
  return () => void requests.connections--
}

const until = (requests: OpenRequests, holds: (requests: OpenRequests) => boolean): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (holds(requests)) return resume(Effect.void)
    const tell = () => resume(holds(requests) ? Effect.void : until(requests, holds))
    requests.waiting = [...requests.waiting, tell]
    return Effect.sync(() => {
      requests.waiting = requests.waiting.filter((other) => other !== tell)
    })
  })

/**
 * Waits until none is open. There may be one again by the time that this is heard.
 *
 * @since 0.1.0
 * @category combinators
 */
export const none = (requests: OpenRequests): Effect.Effect<void> => until(requests, ({ open }) => open === 0)

/**
 * Waits until all have their answers.
 *
 * @since 0.1.0
 * @category combinators
 */
export const answered = (requests: OpenRequests): Effect.Effect<void> =>
  until(requests, (requests) => unanswered(requests) === 0)
