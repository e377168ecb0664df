/** @internal */
import * as Effect from "effect/Effect"
import * as Monotonic from "./monotonic.ts"
import * as Procfs from "./procfs.ts"

/** All processes, by the session that they belong to. */
export type Sessions = ReadonlyMap<number, ReadonlyArray<Procfs.Stat>>

const look = (): Sessions => {
  const sessions = new Map<number, Array<Procfs.Stat>>()
  for (const process of Procfs.all()) {
    const members = sessions.get(process.session)
    if (members === undefined) sessions.set(process.session, [process])
    else members.push(process)
  }
  return sessions
}

// Looking costs time for every process of the machine: when a thousand instances end together, looks take at most
// a fifth of the supervisor's time, and all that ended meanwhile share the next one.
const rest = 4

/** A look at `/proc` that began after it was asked for; those who ask while one is awaited share it. */
export const make: Effect.Effect<Effect.Effect<Sessions>> = Effect.sync(() => {
  const turn = Effect.unsafeMakeSemaphore(1)
  let asked = 0
  let last = { asked: 0, at: 0, cost: 0, sessions: new Map() as Sessions }
  return Effect.suspend(() => {
    const mine = ++asked
    return turn.withPermits(1)(Effect.gen(function*() {
      if (last.asked >= mine) return last.sessions
      const wait = Math.ceil(last.at + rest * last.cost - (yield* Monotonic.milliseconds))
      if (wait > 0) yield* Effect.sleep(wait)
      const before = yield* Monotonic.milliseconds
      const served = asked
      const sessions = look()
      const at = yield* Monotonic.milliseconds
      last = { asked: served, at, cost: at - before, sessions }
      return sessions
    }))
  })
})
