/**
 * What was read last, of whichever instance, before anything is done with it: one file for all, written anew at each read in
 * the very next system call. A supervisor that is killed before the lines are in the log leaves them there for the next.
 */
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { InstanceName } from "../../../domain/Names.ts"
import { LogLine } from "../../../domain/Views.ts"
import { unless } from "../../../internal/errno.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import type { Past } from "./recovery.ts"
import { Splitter } from "./splitter.ts"

const Head = Schema.Struct({
  ...LogLine.pick("at", "instance", "stream", "incarnation", "seq").fields,
  length: Schema.Int
})

/** What was read, with the beginning of its first line. The first line that it completes has the number `seq`. */
export interface Intake extends Omit<typeof Head.Type, "length"> {
  readonly data: Buffer
}

const decodeHead = Schema.decodeUnknownOption(Schema.parseJson(Head))

export const decode = (bytes: Buffer): Intake | null => {
  const begin = bytes.indexOf(Record.newline) + 1
  const head = decodeHead(bytes.toString("utf8", 0, begin))
  if (head._tag === "None") return null
  const { length, ...rest } = head.value
  const end = begin + length
  // Its head comes again behind it: else it was not written whole.
  const isWhole = bytes.subarray(end, end + begin).equals(bytes.subarray(0, begin))
  return isWhole ? { ...rest, data: bytes.subarray(begin, end) } : null
}

export const encode = (head: Omit<Intake, "data">, data: ReadonlyArray<Buffer>): ReadonlyArray<Buffer> => {
  const length = data.reduce((sum, { length }) => sum + length, 0)
  const first = Buffer.from(`${JSON.stringify({ ...head, length })}\n`)
  return [first, ...data, first]
}

/** What is still to be written of it by who finds a log like this: records, and what is open behind them. */
export const missing = (
  { at, data, incarnation, seq, stream }: Intake,
  past: Past
): { readonly records: Buffer; readonly seq: number; readonly open: Buffer | null } | null => {
  const splitter = new Splitter()
  const stamp: Record.Stamp = { at, stream, incarnation }
  const { lines, records } = splitter.push(data, stamp, seq)
  const last = seq + lines - 1
  // Something came after it: it had been written whole. A log that is gone is not begun with its end.
  if (past.seq > last || (past.seq === 0 && seq > 1)) return null
  const lost = seq - past.seq - 1
  const remark = lost > 0
    ? [Record.encode(stamp, "L", seq - 1, Record.remark(lost, "were lost here: the supervisor was killed"))]
    : []
  const rest = Records.told(records, 0).filter(({ record }) => record.seq > past.seq).map(({ record }) => record)
  return { records: Buffer.concat([...remark, Records.joined(rest)]), seq: last, open: splitter.partial }
}

/** The file. Where there can be none, it is done without: the log itself is what counts. */
export class IntakeFile {
  private readonly fd: number | null
  private left: Intake | null

  constructor(directory: string) {
    const path = `${directory}/intake`
    const { O_CREAT, O_NOFOLLOW, O_WRONLY } = Fs.constants
    const missing = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EIO", "EMFILE"]
    this.left = decode(unless(missing, () => Fs.readFileSync(path)) ?? Buffer.alloc(0))
    this.fd = unless(missing, () => {
      // The folder above is made by who knows its rights.
      if (Fs.existsSync(Path.dirname(directory))) Fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
      return Fs.openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
    }) ?? null
  }

  write(head: Omit<Intake, "data">, carry: Buffer | null, chunk: Buffer): void {
    const { fd } = this
    if (fd === null) return
    const parts = encode(head, carry === null ? [chunk] : [carry, chunk])
    unless(["ENOSPC", "EDQUOT", "EIO"], () => Fs.writevSync(fd, parts as Array<Buffer>, 0))
  }

  /** What the supervisor before had read last, if it was of this instance; told once. */
  take(instance: InstanceName): Intake | null {
    const { left } = this
    if (left?.instance !== instance) return null
    this.left = null
    return left
  }

  close(): void {
    if (this.fd !== null) Fs.closeSync(this.fd)
  }
}
