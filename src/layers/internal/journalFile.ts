/** @internal */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unless } from "../../internal/errno.ts"
import * as Journal from "./journal.ts"

/** A journal is written anew when it is larger than this and four times what it has to say. */
const smallest = 256 * 1024

/** The file that a journal is written to: a line for each change, and now and then all of it anew. */
export class JournalFile {
  private fd: number | null = null
  /** What failed, so that nobody knows what the file holds until a new one is written. */
  private failure: unknown = null
  private size = 0
  private unsynced = 0
  private readonly path: string
  private readonly format: number
  private readonly live: ReadonlyMap<string, string>

  constructor(path: string, format: number, live: ReadonlyMap<string, string>) {
    this.path = path
    this.format = format
    this.live = live
  }

  /** Writes all that is live to a new file, which takes the old one's place in one step. */
  renew(): void {
    const next = `${this.path}.new`
    unless(["ENOENT"], () => Fs.unlinkSync(next))
    const fd = Fs.openSync(next, "wx", 0o600)
    try {
      const text = Buffer.from(
        Journal.header(this.format) + [...this.live].map(([key, value]) => Journal.entry(key, value)).join("")
      )
      writeAll(fd, text)
      Fs.fsyncSync(fd)
      Fs.renameSync(next, this.path)
      syncFolder(Path.dirname(this.path))
      this.close()
      this.fd = fd
      this.failure = null
      this.size = text.length
      this.unsynced = 0
    } catch (error) {
      Fs.closeSync(fd)
      unless(["ENOENT"], () => Fs.unlinkSync(next))
      throw error
    }
  }

  append(key: string, value: string | null): void {
    if (this.fd === null || this.failure !== null) return
    try {
      const text = Buffer.from(Journal.entry(key, value))
      writeAll(this.fd, text, this.size)
      this.size += text.length
      this.unsynced += text.length
    } catch (error) {
      // Whoever asks for it to be on the disk is told, unless there is room by then.
      this.failure = error
    }
  }

  sync(): Effect.Effect<void, unknown> {
    return Effect.async((resume) => {
      try {
        if (this.fd === null || this.failure !== null || this.size > Math.max(smallest, 4 * this.liveBytes)) {
          this.renew()
          return resume(Effect.void)
        }
        const { fd, unsynced } = this
        if (unsynced === 0) return resume(Effect.void)
        Fs.fdatasync(fd, (error) => {
          if (error === null) {
            this.unsynced -= unsynced
            return resume(Effect.void)
          }
          this.failure = error
          resume(Effect.fail(error))
        })
      } catch (error) {
        resume(Effect.fail(error))
      }
    })
  }

  private get liveBytes(): number {
    let bytes = 0
    for (const [key, value] of this.live) bytes += key.length + value.length + 24
    return bytes
  }

  close(): void {
    if (this.fd !== null) Fs.closeSync(this.fd)
    this.fd = null
  }
}

const writeAll = (fd: number, text: Buffer, position = 0): void => {
  for (let written = 0; written < text.length;) {
    written += Fs.writeSync(fd, text, written, text.length - written, position + written)
  }
}

const syncFolder = (folder: string): void => {
  const fd = Fs.openSync(folder, "r")
  try {
    Fs.fsyncSync(fd)
  } finally {
    Fs.closeSync(fd)
  }
}
