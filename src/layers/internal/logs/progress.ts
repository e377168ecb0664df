/**
 * How far a log has come. By that it is known how much of what a stream says is in the log already, however the supervisor
 * that wrote it was ended: a log keeps every byte.
 */
import type { LogRecord, StreamName } from "./record.ts"

export interface Progress {
  /** The number of the last line. */
  readonly seq: number
  /** Bytes of each stream's line that has not ended. */
  readonly open: { readonly [S in StreamName]: number }
}

export const encode = ({ open, seq }: Progress): string => `${seq},${open.stdout},${open.stderr}`

export const decode = (text: string): Progress | null => {
  const found = /^(\d+),(\d+),(\d+)$/.exec(text)
  if (found === null) return null
  const [seq = 0, stdout = 0, stderr = 0] = found.slice(1).map(Number)
  return { seq, open: { stdout, stderr } }
}

/** How many bytes of a stream have come to the log since it was `before`; `records` are those that came, at least. */
export const bytesSince = (
  before: Progress,
  now: Progress,
  records: Iterable<LogRecord>,
  of: StreamName
): number => {
  let bytes = now.open[of] - before.open[of]
  for (const { mark, seq, stream, text } of records) {
    if (seq <= before.seq || stream !== of) continue
    if (mark === "F") bytes += text.length + 1
    else if (mark === "P" || mark === "E") bytes += text.length
  }
  // What could not be written is not there.
  return Math.max(0, bytes)
}
