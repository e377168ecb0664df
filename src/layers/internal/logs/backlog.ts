import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Appender } from "./appender.ts"

/** What all instances have in common. */
export interface BacklogShared {
  readonly run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
}

export interface BacklogOwner {
  /** Something new can be read, and nothing waits any more if `isAll`. */
  readonly wrote: (isAll: boolean) => void
  readonly broken: (cause: Cause.Cause<never>) => Effect.Effect<void>
}

/** The records of one instance that wait to be written: none, unless the disk is busy. */
export class Backlog {
  private readonly appender: Appender
  private readonly shared: BacklogShared
  private readonly owner: BacklogOwner
  private pending: Array<Buffer> = []
  private writing = false
  private waiting: Array<() => void> = []

  constructor(appender: Appender, shared: BacklogShared, owner: BacklogOwner) {
    this.appender = appender
    this.shared = shared
    this.owner = owner
  }

  add(records: Buffer): void {
    const { owner, shared } = this
    if (!this.writing && (records.length === 0 || this.appender.appendNow(records))) return owner.wrote(true)
    this.pending.push(records)
    if (this.writing) return
    this.writing = true
    shared.run(Effect.catchAllCause(this.writeAll(), (cause) => {
      this.writing = false
      return owner.broken(cause)
    }))
  }

  /** Writes until nothing waits. There is at most one of it. */
  private writeAll() {
    return Effect.gen(this, function*() {
      while (this.pending.length > 0) {
        const [first, ...more] = this.pending
        const batch = first !== undefined && more.length === 0 ? first : Buffer.concat(this.pending)
        const waiting = this.waiting
        this.pending = []
        this.waiting = []
        yield* this.appender.append(batch)
        for (const resume of waiting) resume()
        if (this.pending.length > 0) this.owner.wrote(false)
      }
      this.writing = false
      this.owner.wrote(true)
    })
  }

  /** All that was added before is written. */
  get settled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.writing) return Effect.void
      return Effect.async<void>((resume) => {
        this.waiting.push(() => resume(Effect.void))
        // What is being written was taken already: an empty batch behind it tells when it is done.
        if (this.pending.length === 0) this.pending.push(Buffer.alloc(0))
      })
    })
  }

  clear(): void {
    this.pending = []
  }
}
