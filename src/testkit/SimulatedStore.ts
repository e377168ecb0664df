/**
 * A store whose disk can be full, and which knows what power loss would leave of it.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { StoreFailed } from "../layers/Errors.ts"
import type { Store } from "../layers/Store.ts"

/**
 * Outlives any number of supervisors, each of which opens it anew.
 *
 * @since 0.1.0
 * @category models
 */
export class SimulatedStore {
  /** What the kernel has, written or not. */
  private live = new Map<string, string>()
  /** What is on the disk. */
  private durable = new Map<string, string>()
  private boots = 1
  private begun = 0
  private done = 0
  /** Nothing can be written any more. */
  isFull = false
  /** How long it takes to bring something to the disk. */
  syncMs = 0

  /** The machine has stopped, and what was not on the disk is lost. */
  losePower(): void {
    this.live = new Map(this.durable)
    this.boots++
  }

  /** As a supervisor finds it that starts now. */
  open(): Context.Tag.Service<Store> {
    let isSealed = false
    const found = new Map([...this.live].map(([key, value]) => [key, JSON.parse(value) as unknown]))
    return {
      session: { boot: String(this.boots), origin: 0 },
      take: (prefix) =>
        Effect.sync(() => {
          const taken = new Map([...found].filter(([key]) => key.startsWith(prefix)))
          for (const key of taken.keys()) found.delete(key)
          return taken
        }),
      put: (key, value) => Effect.sync(() => isSealed ? undefined : void this.live.set(key, JSON.stringify(value))),
      remove: (key) => Effect.sync(() => isSealed ? undefined : void this.live.delete(key)),
      seal: Effect.sync(() => {
        isSealed = true
      }),
      flushed: Effect.suspend(() => {
        const written = new Map(this.live)
        const number = ++this.begun
        const done = Effect.suspend(() => {
          if (this.isFull) return Effect.fail(new StoreFailed({ path: "journal", code: "ENOSPC" }))
          // One that began later may have been faster.
          if (number > this.done) {
            this.done = number
            this.durable = written
          }
          return Effect.void
        })
        return this.syncMs === 0 ? done : Effect.zipRight(Effect.sleep(this.syncMs), done)
      })
    }
  }
}
