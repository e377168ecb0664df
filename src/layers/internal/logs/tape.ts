import type { Progress } from "./progress.ts"
import type * as Record from "./record.ts"
import type { Past } from "./recovery.ts"
import { Splitter } from "./splitter.ts"

/** A clock that is set back by no more does not set the log back. Milliseconds. */
const clockSlack = 5000

const none = Buffer.alloc(0)

/** Makes records of what one instance prints. The same bytes in the same order give the same lines, with the same numbers. */
export class Tape {
  /** The run that is heard. */
  incarnation = 0
  /** The number of the last line, and the time of what was read last. */
  seq = 0
  private latest = 0
  private readonly splitters = { stdout: new Splitter(), stderr: new Splitter() }
  private readonly streams = Object.entries(this.splitters) as ReadonlyArray<[Record.StreamName, Splitter]>

  stamp(stream: Record.StreamName, now = this.latest): Record.Stamp {
    // Times of a log grow, that they can be looked for. A clock that was wrong is believed when it is put right.
    if (now > this.latest || now < this.latest - clockSlack) this.latest = now
    return { at: new Date(this.latest).toISOString(), stream, incarnation: this.incarnation }
  }

  /** The records that `chunk` completes, if it was read at the time `now`. */
  push(stream: Record.StreamName, now: number, chunk: Buffer): Buffer {
    const { lines, records } = this.splitters[stream].push(chunk, this.stamp(stream, now), this.seq + 1)
    this.seq += lines
    return records
  }

  /** Records, and behind them what is open. */
  withOpen(records: Buffer): Buffer {
    const batch = [records]
    for (const [stream, splitter] of this.streams) {
      splitter.wrote(records.length)
      if (splitter.partial === null) continue
      const open = splitter.save(this.stamp(stream), this.seq + 1)
      if (open !== null) batch.push(open)
    }
    return batch.length === 1 ? records : Buffer.concat(batch)
  }

  /** Nothing more comes of this run: a last line without newline is a line. */
  end(now = this.latest): Buffer {
    const batch: Array<Buffer> = []
    for (const [stream, splitter] of this.streams) {
      if (splitter.partial === null) continue
      const rest = splitter.end(this.stamp(stream, now), this.seq + 1)
      if (rest === null) continue
      this.seq++
      batch.push(rest)
    }
    return batch.length === 0 ? none : Buffer.concat(batch)
  }

  /** Lines whose end has not come. */
  get partial(): ReadonlyArray<readonly [stream: Record.StreamName, text: Buffer]> {
    return this.streams.flatMap(([stream, { partial }]) => partial === null ? [] : [[stream, partial] as const])
  }

  /** How far the log has come when all of it is written. */
  get progress(): Progress {
    const open = (stream: Record.StreamName) => this.splitters[stream].partial?.length ?? 0
    return { seq: this.seq, open: { stdout: open("stdout"), stderr: open("stderr") } }
  }

  /** Goes on with a log that another supervisor wrote. */
  goOn({ at, incarnation, open, seq }: Past): void {
    this.seq = seq
    this.incarnation = incarnation
    this.latest = at === "" ? 0 : Date.parse(at)
    for (const [stream, text] of open) this.splitters[stream].restore(text)
  }
}
