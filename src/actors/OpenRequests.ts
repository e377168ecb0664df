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
  /** The connections to it that the gateway has, in use or kept for the next request. */
  connections: number
  /** When one last began or ended; at first, when the run began. Milliseconds of the monotonic clock. */
  lastAt: number
  /** Told once, when none is open. */
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
  ({ mono }) => ({ open: 0, connections: 0, lastAt: mono, waiting: nobody })
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
 * One begins. What it gives ends it, and does so once however often it is called. Plain functions: see `Traffic`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const enter = (requests: OpenRequests, mono: () => number): () => void => {
  touch(requests, mono())
  requests.open++
  let isOpen = true
  return () => {
    if (!isOpen) return
    isOpen = false
    requests.open--
    touch(requests, mono())
    if (requests.open > 0) return
    const told = requests.waiting
    requests.waiting = nobody
    for (const tell of told) tell()
  }
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

/**
 * Waits until none is open. There may be one again by the time that this is heard.
 *
 * @since 0.1.0
 * @category combinators
 */
export const none = (requests: OpenRequests): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (requests.open === 0) return resume(Effect.void)
    const tell = () => resume(Effect.void)
    requests.waiting = [...requests.waiting, tell]
    return Effect.sync(() => {
      requests.waiting = requests.waiting.filter((other) => other !== tell)
    })
  })
