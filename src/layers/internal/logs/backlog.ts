import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Appender } from "./appender.ts"

/** What is read and not yet written, of one instance and of all: beyond, nothing more is read from the FIFO. */
const instanceLimit = 256 * 1024
const totalLimit = 32 * 1024 * 1024

/** What all instances have in common. */
export interface BacklogShared {
  /** Bytes that wait to be written. */
  pendingBytes: number
  readonly run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
}

export interface BacklogOwner {
  /** Something new can be read. */
  readonly wrote: () => void
  /** What waits is little again. */
  readonly relieved: () => void
  readonly broken: (cause: Cause.Cause<never>) => Effect.Effect<void>
}

/** The records of one instance that wait to be written: none, unless the disk is busy. */
export class Backlog {
  private readonly appender: Appender
  private readonly shared: BacklogShared
  private readonly owner: BacklogOwner
  private pending: Array<Buffer> = []
  private pendingBytes = 0
  private writing = false
  private waiting: Array<() => void> = []

  constructor(appender: Appender, shared: BacklogShared, owner: BacklogOwner) {
    this.appender = appender
    this.shared = shared
    this.owner = owner
  }

  get isLong(): boolean {
    return this.pendingBytes > instanceLimit ||
      (this.pendingBytes > 0 && this.shared.pendingBytes > totalLimit)
  }

  add(records: Buffer): void {
    const { owner, shared } = this
    if (records.length === 0) return
    if (!this.writing && this.appender.appendNow(records)) return owner.wrote()
    this.pending.push(records)
    this.pendingBytes += records.length
    shared.pendingBytes += records.length
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
      const { owner, shared } = this
      while (this.pending.length > 0) {
        const [first, ...more] = this.pending
        const batch = first !== undefined && more.length === 0 ? first : Buffer.concat(this.pending)
        const waiting = this.waiting
        this.pending = []
        this.waiting = []
        yield* this.appender.append(batch)
        this.pendingBytes -= batch.length
        shared.pendingBytes -= batch.length
        for (const resume of waiting) resume()
        owner.wrote()
        if (!this.isLong) owner.relieved()
      }
      this.writing = false
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
