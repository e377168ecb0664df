import { encode, header, type Mark, maxText, newline, space, type Stamp } from "./record.ts"

const zero = 48
const nine = 57

/** How much may be written behind the beginning of an open line before that is written again. */
const reach = 32 * 1024

/** Where to cut what is too long: never inside a UTF-8 character, if it is UTF-8. */
const cutBefore = (data: Buffer, limit: number): number => {
  for (let cut = limit; cut > limit - 4; cut--) if (((data[cut] ?? 0) & 0xC0) !== 0x80) return cut
  return limit
}

/** Records, and how many lines they are. */
export interface Cut {
  readonly records: Buffer
  readonly lines: number
}

const nothing: Cut = { records: Buffer.alloc(0), lines: 0 }

/** Cuts what one stream prints into records. Keeps the beginning of a line until its end comes. */
export class Splitter {
  private carry: Buffer | null = null
  /** How much of it is on the disk. */
  private saved = 0
  /** How much was written behind it. */
  private distance = 0

  /** The records that `chunk` completes, numbered from `seq` on. `chunk` may be used again afterwards. */
  push(chunk: Buffer, stamp: Stamp, seq: number): Cut {
    const data = this.carry === null ? chunk : Buffer.concat([this.carry, chunk])
    // Ends are told from pieces by their sign: a piece never ends at 0.
    const ends: Array<number> = []
    let start = 0
    const cutDownTo = (end: number) => {
      while (end - start > maxText) {
        start = cutBefore(data, start + maxText)
        ends.push(-start)
      }
    }
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      cutDownTo(end)
      ends.push(end)
      start = end + 1
    }
    cutDownTo(data.length)
    this.carry = start === data.length ? null : Buffer.from(data.subarray(start))
    if (ends.length === 0) return nothing
    this.saved = 0
    return { records: join(data, ends, stamp, seq), lines: ends.length }
  }

  /** What was printed of a line whose end has not come. */
  get partial(): Buffer | null {
    return this.carry
  }

  /** So much was written to the log. */
  wrote(bytes: number): void {
    this.distance += bytes
  }

  /** The record by which a supervisor that takes over gets to know the beginning of the line, if it does not yet. */
  save(stamp: Stamp, seq: number): Buffer | null {
    const { carry, saved } = this
    if (carry === null) return null
    if (saved > 0 && this.distance < reach) {
      this.saved = carry.length
      return carry.length === saved ? null : encode(stamp, "C", seq, carry.subarray(saved))
    }
    this.saved = carry.length
    this.distance = 0
    return encode(stamp, "B", seq, carry)
  }

  /** Goes on with the beginning of a line that another supervisor heard, and saved. */
  restore(carry: Buffer | null): void {
    this.carry = carry
  }

  /** Nothing more comes: the record of a last line without newline. */
  end(stamp: Stamp, seq: number): Buffer | null {
    const rest = this.carry
    this.carry = null
    this.saved = 0
    return rest === null ? null : encode(stamp, "E", seq, rest)
  }
}

/** The beginning of a record. Counting on takes less than to write it anew. */
class Header {
  private readonly stamp: Stamp
  private readonly markAt: number
  private current: Mark = "F"
  private seq: number
  bytes: Buffer

  constructor(stamp: Stamp, seq: number) {
    this.stamp = stamp
    this.seq = seq
    this.bytes = Buffer.from(header(stamp, this.current, seq))
    this.markAt = this.bytes.indexOf(space, 32) + 1
  }

  mark(mark: Mark): void {
    if (mark === this.current) return
    this.current = mark
    this.bytes[this.markAt] = mark.charCodeAt(0)
  }

  next(): void {
    this.seq++
    const { bytes } = this
    for (let at = bytes.length - 2;; at--) {
      const digit = bytes[at]
      if (digit === undefined || digit === space) break
      bytes[at] = digit === nine ? zero : digit + 1
      if (digit !== nine) return
    }
    this.bytes = Buffer.from(header(this.stamp, this.current, this.seq))
  }
}

const join = (data: Buffer, ends: ReadonlyArray<number>, stamp: Stamp, seq: number): Buffer => {
  const longest = header(stamp, "F", seq + ends.length).length
  const out = Buffer.allocUnsafe(data.length + ends.length * (longest + 1))
  const head = new Header(stamp, seq)
  let from = 0
  let to = 0
  for (const end of ends) {
    const whole = end >= 0
    const until = whole ? end : -end
    head.mark(whole ? "F" : "P")
    out.set(head.bytes, to)
    to += head.bytes.length
    // A loop is quicker than a call for what most lines are.
    if (until - from < 64) { for (let i = from; i < until; i++) out[to++] = data[i] as number }
    else to += data.copy(out, to, from, until)
    out[to++] = newline
    from = whole ? until + 1 : until
    head.next()
  }
  return out.subarray(0, to)
}
