import * as Effect from "effect/Effect"
import { ftruncateSync, writeSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { codeOf } from "../../../internal/errno.ts"
import type { LossReason } from "../../Metrics.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import { attempt, type IoError, isCode, list, pathOf } from "./segments.ts"

/** More than the records of one read. The kernel takes it in a moment, unless it is busy writing to the disk. */
const little = 4 * 1024 * 1024

/** A write that took longer found the disk busy, and so long it is left to a thread. Milliseconds. */
const tooLong = 10
const busyFor = 1000

export interface AppenderOptions {
  readonly maxBytes: number
  readonly keep: number
}

export interface Remarks {
  /** Words the record that stands for lines that could not be written, `seq` being the last of them. */
  remark(lost: number, problem: string, seq: number): Buffer
  /** Hears of lines that are gone, at once. */
  lost(reason: LossReason, lines: number): Effect.Effect<void>
}

/** What is known of a segment: its first line, and how many lines it has only a remark of. */
interface Contents {
  readonly first: number
  absent: number
}

/** Writes a log. One call at a time. */
export class Appender {
  private readonly directory: string
  private readonly options: AppenderOptions
  private readonly remarks: Remarks
  private readonly contents = new Map<number, Contents>()
  private handle: Fs.FileHandle | null = null
  private oldest = 0
  private missing: { readonly lines: number; readonly last: number } | null = null
  private problem = ""
  private busyUntil = 0
  /** The segment being written, and how much of it may be read. 0 until it is opened. */
  segment = 0
  size = 0

  constructor(directory: string, options: AppenderOptions, remarks: Remarks) {
    this.directory = directory
    this.options = options
    this.remarks = remarks
  }

  /**
   * Appends whole records. What cannot be written is dropped and counted, and the count is written as soon as anything
   * can be.
   */
  append(records: Buffer): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { missing } = this
      const report = missing === null ? null : this.remarks.remark(missing.lines, this.problem, missing.last)
      const batch = report === null ? records : Buffer.concat([report, records])
      let written = 0
      return this.write(batch, (bytes) => {
        written += bytes
        if (report === null || missing === null || this.missing === null || written < report.length) return
        this.missing = null
        const contents = this.contents.get(this.segment)
        if (contents !== undefined) contents.absent += missing.lines
      }).pipe(
        Effect.catchAll((error) => {
          const { last, lines } = Records.count(batch.subarray(Math.max(written, report === null ? 0 : report.length)))
          if (lines > 0) this.missing = { lines: lines + (this.missing?.lines ?? 0), last }
          this.problem = error.code
          return Effect.zipRight(this.remarks.lost("disk", lines), this.release(true))
        })
      )
    })
  }

  /**
   * Appends at once, in this very turn, which takes the least. False where this cannot be done, and nothing was.
   */
  appendNow(records: Buffer): boolean {
    const { handle, missing, size } = this
    if (handle === null || missing !== null || records.length > little) return false
    if (size + records.length > this.options.maxBytes) return false
    const begun = performance.now()
    if (begun < this.busyUntil) return false
    try {
      const written = writeSync(handle.fd, records)
      const ended = performance.now()
      if (ended - begun > tooLong) this.busyUntil = ended + busyFor
      if (written === records.length) {
        if (size === 0) this.begun(records)
        this.size += records.length
        return true
      }
      // Half a record must not stay at the end.
      ftruncateSync(handle.fd, size)
    } catch (error) {
      this.problem = codeOf(error)
    }
    return false
  }

  /** Opens the segment that is there already. */
  readonly reopen: Effect.Effect<void, IoError> = Effect.suspend(() => Effect.asVoid(this.open(this.segment)))

  /** Closes the file; the next write opens it again. */
  release(torn = false): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { handle, size } = this
      this.handle = null
      if (handle === null) return Effect.void
      // Half a record must not stay at the end; if even this fails, it is taken away when the file is opened.
      const mend = torn ? Effect.ignore(attempt("", () => handle.truncate(size))) : Effect.void
      return Effect.zipRight(mend, Effect.ignore(attempt("", () => handle.close())))
    })
  }

  private write(batch: Buffer, onWritten: (bytes: number) => void) {
    return Effect.gen(this, function*() {
      let rest = batch
      while (rest.length > 0) {
        const handle = this.handle ?? (yield* this.open(this.segment))
        const room = this.options.maxBytes - this.size
        let cut = rest.length <= room ? rest.length : room <= 0 ? 0 : rest.lastIndexOf(Record.newline, room - 1) + 1
        if (cut === 0 && this.size > 0) {
          yield* this.rotate(rest)
          continue
        }
        if (cut === 0) cut = rest.indexOf(Record.newline) + 1
        yield* writeAll(handle, rest.subarray(0, cut), this.directory)
        if (this.size === 0) this.begun(rest)
        this.size += cut
        onWritten(cut)
        rest = rest.subarray(cut)
      }
    })
  }

  /** The segment has its first records. */
  private begun(records: Buffer): void {
    const first = Records.first(records)
    if (first !== undefined) this.contents.set(this.segment, { first: Record.firstSeq(first), absent: 0 })
  }

  private open(segment: number) {
    return Effect.gen(this, function*() {
      const existing = yield* list(this.directory)
      const number = Math.max(segment, existing.at(-1) ?? 1)
      const file = pathOf(this.directory, number)
      const handle = yield* attempt(file, () => Fs.open(file, "a+", 0o600))
      this.handle = handle
      const { size } = yield* attempt(file, () => handle.stat())
      this.oldest = existing[0] ?? number
      this.segment = number
      this.size = size
      if (size > 0) {
        const length = Math.min(size, Record.maxRecord)
        const { buffer } = yield* attempt(file, () => handle.read(Buffer.alloc(length), 0, length, size - length))
        const whole = size - length + buffer.lastIndexOf(Record.newline) + 1
        // Half a record is none: it would pass for a line that was printed so.
        if (whole < size) {
          yield* attempt(file, () => handle.truncate(whole))
          this.size = whole
        }
      }
      return handle
    })
  }

  private rotate(next: Buffer) {
    return Effect.gen(this, function*() {
      yield* this.release()
      yield* this.open(this.segment + 1)
      if (this.size === 0) this.begun(next)
      for (; this.oldest < this.segment - this.options.keep; this.oldest++) {
        const file = pathOf(this.directory, this.oldest)
        const lines = yield* this.linesOf(this.oldest)
        yield* Effect.catchIf(attempt(file, () => Fs.unlink(file)), isCode("ENOENT"), () => Effect.void)
        yield* this.remarks.lost("rotated", lines)
        this.contents.delete(this.oldest)
      }
    })
  }

  /** How many lines a full segment has: as many as there are numbers up to the next one's first. */
  private linesOf(segment: number) {
    return Effect.gen(this, function*() {
      const first = yield* this.firstOf(segment)
      const next = yield* this.firstOf(segment + 1)
      return first === undefined || next === undefined
        ? 0
        : Math.max(0, next - first - (this.contents.get(segment)?.absent ?? 0))
    })
  }

  private firstOf(segment: number) {
    const known = this.contents.get(segment)
    if (known !== undefined) return Effect.succeed(known.first)
    const file = pathOf(this.directory, segment)
    return Effect.map(
      Effect.catchIf(attempt(file, () => firstBytes(file)), isCode("ENOENT"), () => Effect.succeed(Buffer.alloc(0))),
      (bytes) => {
        const first = Records.first(bytes)
        return first === undefined ? undefined : Record.firstSeq(first)
      }
    )
  }
}

const firstBytes = async (file: string): Promise<Buffer> => {
  const handle = await Fs.open(file, "r")
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.allocUnsafe(2 * Record.maxRecord),
      0,
      2 * Record.maxRecord,
      0
    )
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

const writeAll = Effect.fnUntraced(function*(handle: Fs.FileHandle, bytes: Buffer, file: string) {
  let rest = bytes
  while (rest.length > 0) {
    const { bytesWritten } = yield* attempt(file, () => handle.write(rest, 0, rest.length, null))
    rest = rest.subarray(bytesWritten)
  }
})
