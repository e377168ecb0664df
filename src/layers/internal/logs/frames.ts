/**
 * What the relay writes: frames, each a line `KIND A B LENGTH` and as many bytes behind it.
 */
import { newline, space } from "./record.ts"

/** The longest that a frame can be: what a FIFO holds, and its head. */
export const maxFrame = 64 * 1024 + 64

export type OnFrame = (kind: string, a: number, b: number, data: Buffer) => void

const none = Buffer.alloc(0)

/** Cuts bytes into frames, however they come. */
export class Frames {
  private readonly onFrame: OnFrame
  /** The beginning of a frame whose end has not come. */
  private carry: Buffer = none

  constructor(onFrame: OnFrame) {
    this.onFrame = onFrame
  }

  /** `bytes` may be used again afterwards. */
  push(bytes: Buffer): void {
    const all = this.carry.length === 0 ? bytes : Buffer.concat([this.carry, bytes])
    let used = 0
    for (;;) {
      const end = all.indexOf(newline, used)
      if (end < 0) break
      const [a = 0, b = 0, length = 0] = numbersIn(all, used + 2, end)
      if (all.length <= end + length) break
      const kind = String.fromCharCode(all[used] ?? 0)
      used = end + 1 + length
      this.onFrame(kind, a, b, all.subarray(end + 1, used))
    }
    this.carry = used === all.length ? none : Buffer.from(all.subarray(used))
  }
}

/** The numbers between two places, with a space between each two. */
const numbersIn = (bytes: Buffer, from: number, until: number): ReadonlyArray<number> => {
  const numbers = [0]
  for (let at = from; at < until; at++) {
    const byte = bytes[at] ?? 0
    if (byte === space) numbers.push(0)
    else numbers.push((numbers.pop() ?? 0) * 10 + byte - 48)
  }
  return numbers
}
