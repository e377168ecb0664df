/**
 * The files of one instance's log: numbered segments, `00000001.log` and up. The one with the highest number is
 * written; the others never change again. Rotation begins a new segment and deletes the oldest, nothing is renamed: a
 * segment's number and an offset name the same byte for as long as it exists.
 */
import * as Effect from "effect/Effect"
import { ftruncateSync, writeSync } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { codeOf } from "../../../internal/errno.ts"
import { newline } from "./record.ts"

/** What the operating system said. */
export class IoError {
  readonly _tag = "IoError"
  readonly code: string
  readonly path: string
  constructor(code: string, path: string) {
    this.code = code
    this.path = path
  }
}

export const attempt = <A>(file: string, call: () => Promise<A>): Effect.Effect<A, IoError> =>
  Effect.tryPromise({ try: call, catch: (cause) => new IoError(codeOf(cause), file) })

export const pathOf = (directory: string, segment: number): string =>
  Path.join(directory, `${String(segment).padStart(8, "0")}.log`)

const isCode = (code: string) => (error: IoError): boolean => error.code === code

/** The numbers of the segments there are, lowest first. */
export const list = (directory: string): Effect.Effect<Array<number>, IoError> =>
  attempt(directory, () => Fs.readdir(directory)).pipe(
    Effect.map((names) =>
      names.flatMap((name) => /^\d{8,}\.log$/.test(name) ? [Number.parseInt(name)] : []).sort((a, b) => a - b)
    ),
    Effect.catchIf(isCode("ENOENT"), () => Effect.succeed([]))
  )

/** What the kernel takes in a moment, even when it is busy writing to the disk. */
const little = 16 * 1024

const countLines = (buffer: Buffer): number => {
  let count = 0
  for (let at = buffer.indexOf(newline); at >= 0; at = buffer.indexOf(newline, at + 1)) count++
  return count
}

export interface AppenderOptions {
  readonly maxBytes: number
  readonly keep: number
}

/** Words the record that stands for lines that could not be written. */
export interface Remarks {
  remark(lost: number, problem: string): Buffer
  /** So many more are lost. */
  lose(lines: number): Effect.Effect<void>
}

/** Writes a log. One call at a time. */
export class Appender {
  private readonly directory: string
  private readonly options: AppenderOptions
  private readonly remarks: Remarks
  private handle: Fs.FileHandle | null = null
  private oldest = 0
  private lost = 0
  private problem = ""
  /** The segment being written, and how much of it may be read. 0 until the first write. */
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
      const report = this.lost === 0 ? null : this.remarks.remark(this.lost, this.problem)
      const batch = report === null ? records : Buffer.concat([report, records])
      let written = 0
      return this.write(batch, (bytes) => {
        written += bytes
        if (report !== null && written >= report.length) this.lost = 0
      }).pipe(
        Effect.catchAll((error) => {
          const unwritten = batch.subarray(Math.max(written, report === null ? 0 : report.length))
          const lines = countLines(unwritten)
          this.lost += lines
          this.problem = error.code
          return Effect.zipRight(this.remarks.lose(lines), this.release(true))
        })
      )
    })
  }

  /**
   * Appends a little at once, so that hardly a moment passes in which it has left the FIFO and is in no file: a supervisor
   * that is killed in it would take it along. False where this cannot be done, and nothing was.
   */
  appendNow(records: Buffer): boolean {
    const { handle, lost, size } = this
    if (handle === null || lost > 0 || records.length > little || size + records.length > this.options.maxBytes) {
      return false
    }
    try {
      if (writeSync(handle.fd, records) === records.length) {
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

  /** Closes the file; the next write opens it again. */
  release(torn = false): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { handle, size } = this
      this.handle = null
      if (handle === null) return Effect.void
      // Half a record must not stay at the end; if even this fails, a newline is put behind it when the file is opened.
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
        let cut = rest.length <= room ? rest.length : room <= 0 ? 0 : rest.lastIndexOf(newline, room - 1) + 1
        if (cut === 0 && this.size > 0) {
          yield* this.rotate()
          continue
        }
        if (cut === 0) cut = rest.indexOf(newline) + 1
        yield* writeAll(handle, rest.subarray(0, cut), this.directory)
        this.size += cut
        onWritten(cut)
        rest = rest.subarray(cut)
      }
    })
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
        const { buffer } = yield* attempt(file, () => handle.read(Buffer.alloc(1), 0, 1, size - 1))
        if (buffer[0] !== newline) {
          yield* writeAll(handle, Buffer.of(newline), file)
          this.size += 1
        }
      }
      return handle
    })
  }

  private rotate() {
    return Effect.gen(this, function*() {
      yield* this.release()
      yield* this.open(this.segment + 1)
      for (; this.oldest < this.segment - this.options.keep; this.oldest++) {
        const file = pathOf(this.directory, this.oldest)
        yield* Effect.catchIf(attempt(file, () => Fs.unlink(file)), isCode("ENOENT"), () => Effect.void)
      }
    })
  }
}

const writeAll = Effect.fnUntraced(function*(handle: Fs.FileHandle, bytes: Buffer, file: string) {
  let rest = bytes
  while (rest.length > 0) {
    const { bytesWritten } = yield* attempt(file, () => handle.write(rest, 0, rest.length, null))
    rest = rest.subarray(bytesWritten)
  }
})
