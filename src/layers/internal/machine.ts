/** @internal */
import * as Fs from "node:fs"

// The kernel tells every process of these in its auxiliary vector: pairs of words, a type and a value.
const auxiliary = (type: bigint, usual: number): number => {
  const vector = Fs.readFileSync("/proc/self/auxv")
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === type) return Number(vector.readBigUInt64LE(at + 8))
  }
  return usual
}

/** Bytes in a page of memory. */
export const pageSize = auxiliary(6n, 4096)

/** Clock ticks in a second of CPU time. */
export const ticksPerSecond = auxiliary(17n, 100)
