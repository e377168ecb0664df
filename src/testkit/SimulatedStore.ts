/**
 * A store whose disk can be full or broken, and which knows what a kill, and what power loss, would leave of it.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { StoreFailed } from "../layers/Errors.ts"
import type { Store } from "../layers/Store.ts"

type Entry = readonly [key: string, value: string | null]

/**
 * What is worse about power loss than that what was not on the disk is gone: the line that was being written is there in part; a
 * bit of what was on the disk is not what it was; the file is an older one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Damage {
  readonly how: "torn" | "flipped" | "stale"
  /** Which part of the file is hit, from 0 to 1. */
  readonly where: number
}

/** What a reader takes for the file's contents. */
const replay = (file: ReadonlyArray<Entry>): Map<string, string> => {
  const live = new Map<string, string>()
  for (const [key, value] of file) {
    if (value === null) live.delete(key)
    else live.set(key, value)
  }
  return live
}

const entriesOf = (live: ReadonlyMap<string, string>): Array<Entry> => [...live]

/**
 * Outlives any number of supervisors, each of which opens it anew.
 *
 * @since 0.1.0
 * @category models
 */
export class SimulatedStore {
  private readonly later: (ms: number, happen: () => void) => void
  private opened = 0
  private isRetrying = false
  /** What the supervisor that has it open wants to be in it. */
  private live = new Map<string, string>()
  /** What the kernel has of the file, on the disk or not. */
  private file: Array<Entry> = []
  /** How much of it is on the disk. */
  private synced = 0
  /** A write failed: nobody knows what the file holds until a new one is written. */
  isBehind = false
  /** How many wait for something to be on the disk. */
  private syncing = 0
  private boots = 1
  /** Lines that were not as they had been written, when the file was read last. */
  damaged = 0
  /** Nothing can be written any more. */
  isFull = false
  /** Bringing something to the disk fails: this once, or each time. */
  fails: "once" | "always" | null = null
  /** How long it takes to bring something to the disk. */
  syncMs = 0

  /** What could not be written is tried again, if there is somebody to say that time has passed. */
  constructor(later: (ms: number, happen: () => void) => void = () => undefined) {
    this.later = later
  }

  /** Who has it open is killed. What it could not write is lost. */
  close(): void {
    this.opened++
    this.isRetrying = false
    this.live = new Map()
    this.syncing = 0
  }

  /** Whether somebody waits for something to be on the disk. */
  get isSyncing(): boolean {
    return this.syncing > 0
  }

  /** Whether some value that is written down has this text. */
  mentions(text: string): boolean {
    return [...this.live.values()].some((value) => value.includes(text))
  }

  /** The machine has stopped, and what was not on the disk is lost. */
  losePower(damage: Damage | null = null): void {
    this.close()
    this.boots++
    this.file.length = this.synced
    this.damaged = 0
    if (damage === null || this.file.length === 0) return
    const at = Math.floor(damage.where * this.file.length)
    if (damage.how === "stale") this.file.length = at
    // Lines have checksums: who reads the file leaves out one that is wrong, and the end that is not a line.
    if (damage.how === "flipped") this.damaged = this.file.splice(at, 1).length
    this.synced = this.file.length
  }

  /** Writes all that is live to a new file, which takes the place of the old one. */
  private renew(): void {
    this.file = entriesOf(this.live)
    this.synced = this.file.length
    this.isBehind = false
  }

  private fallBehind(): void {
    this.isBehind = true
    if (this.isRetrying) return
    this.isRetrying = true
    const { opened } = this
    this.later(1000, () => {
      if (opened !== this.opened) return
      this.isRetrying = false
      if (!this.isBehind) return
      if (this.isFull || this.fails !== null) this.fallBehind()
      else this.renew()
      if (this.fails === "once") this.fails = null
    })
  }

  private append(key: string, value: string | null): void {
    if (this.isFull) this.fallBehind()
    if (!this.isBehind) this.file.push([key, value])
  }

  private sync(file: ReadonlyArray<Entry>, until: number): Effect.Effect<void, StoreFailed> {
    return Effect.suspend(() => {
      if (this.fails !== null || (this.isFull && this.isBehind)) {
        this.fallBehind()
        const code = this.fails === null ? "ENOSPC" : "EIO"
        if (this.fails === "once") this.fails = null
        return new StoreFailed({ path: "journal", code })
      }
      if (this.isBehind) this.renew()
      // A file that was written anew meanwhile is on the disk.
      else if (this.file === file) this.synced = Math.max(this.synced, until)
      return Effect.void
    })
  }

  /** As a supervisor finds it that starts now. */
  open(): Context.Tag.Service<Store> {
    this.live = replay(this.file)
    const found = new Map([...this.live].map(([key, value]) => [key, JSON.parse(value) as unknown]))
    // It writes the file anew, if there is room.
    if (this.isFull) this.fallBehind()
    else this.renew()
    let isSealed = false
    return {
      session: { boot: String(this.boots), origin: 0 },
      take: (prefix) =>
        Effect.sync(() => {
          const taken = new Map([...found].filter(([key]) => key.startsWith(prefix)))
          for (const key of taken.keys()) found.delete(key)
          return taken
        }),
      put: (key, value) =>
        Effect.sync(() => {
          if (isSealed) return
          const text = JSON.stringify(value)
          this.live.set(key, text)
          this.append(key, text)
        }),
      remove: (key) =>
        Effect.sync(() => {
          if (isSealed) return
          this.live.delete(key)
          this.append(key, null)
        }),
      seal: Effect.sync(() => {
        isSealed = true
      }),
      flushed: Effect.suspend(() => {
        const done = this.sync(this.file, this.file.length)
        if (this.syncMs === 0) return done
        this.syncing++
        return Effect.sleep(this.syncMs).pipe(
          Effect.zipRight(done),
          Effect.ensuring(Effect.sync(() => void this.syncing--))
        )
      })
    }
  }
}
