import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import type { InstanceName } from "../../../domain/Names.ts"
import { bounded } from "../../../internal/bounded.ts"
import { codeOf } from "../../../internal/errno.ts"
import { LogsFailed, type ToolFailed } from "../../Errors.ts"
import type { LossReason } from "../../Metrics.ts"
import { Appender } from "./appender.ts"
import { Backlog, type BacklogShared } from "./backlog.ts"
import { Channel, type Listener } from "./channel.ts"
import * as Fifo from "./fifo.ts"
import * as Intake from "./intake.ts"
import * as Reader from "./reader.ts"
import * as Record from "./record.ts"
import * as Recovery from "./recovery.ts"

/** A clock that is set back by no more does not set the log back. Milliseconds. */
const clockSlack = 5000

/** What all pumps share. */
export interface Shared extends BacklogShared {
  readonly clock: Clock.Clock
  readonly maxBytes: number
  readonly keep: number
  readonly lost: (instance: InstanceName, reason: LossReason, lines: number) => Effect.Effect<void>
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
  /** Something new can be read. */
  readonly written: (instance: InstanceName) => void
  readonly intake: Intake.IntakeFile
  /** One for all: libuv fills it and hands it over in one go. */
  readonly buffer: Buffer
}

/** Moves what one instance prints from its FIFOs to its files. */
export class Pump implements Listener {
  readonly instance: InstanceName
  readonly shared: Shared
  private readonly appender: Appender
  private readonly backlog: Backlog
  private readonly channels: Array<Channel> = []
  private incarnation = 0
  /** The number of the last line, and its time. */
  private seq = 0
  private latest = 0
  private closed = false

  constructor(instance: InstanceName, directory: string, shared: Shared) {
    this.instance = instance
    this.shared = shared
    this.appender = new Appender(directory, shared, this)
    this.backlog = new Backlog(this.appender, shared, this)
  }

  /** Opens the FIFOs. Nothing is read before it is known which run it comes from. */
  connect(paths: { readonly [S in Record.StreamName]: string }): void {
    try {
      this.channels.push(new Channel("stdout", paths.stdout, this))
      this.channels.push(new Channel("stderr", paths.stderr, this))
    } catch (error) {
      this.disconnect()
      throw error
    }
  }

  /** Their descriptors may be another file's from now on: nobody must find them here. */
  private disconnect(): void {
    for (const channel of this.channels.splice(0)) channel.close()
  }

  unreadable(stream: Record.StreamName, error: Error): void {
    this.shared.run(Effect.logError(`${this.instance}: its ${stream} cannot be read`, error))
  }

  /** Goes on with a log that another supervisor wrote. */
  goOn(past: Recovery.Past): void {
    this.seq = past.seq
    this.latest = past.at === "" ? 0 : Date.parse(past.at)
    for (const [stream, text] of past.open) {
      this.incarnation = past.incarnation
      this.channels.find((channel) => channel.stream === stream)?.splitter.restore(text)
    }
  }

  /** Writes what another supervisor had read, and was killed before it had written it. */
  replay(intake: Intake.Intake, past: Recovery.Past): void {
    const found = Intake.missing(intake, past)
    if (found === null) return
    this.incarnation = intake.incarnation
    this.seq = found.seq
    this.channels.find(({ stream }) => stream === intake.stream)?.splitter.restore(found.open)
    this.write(found.records)
  }

  /** Opens the file that was written last. If that cannot be done now, the first write tells. */
  get reopen(): Effect.Effect<void> {
    return Effect.ignore(this.appender.reopen)
  }

  /** How far the log may be read; `null` before the first write. */
  get written(): Reader.Position | null {
    const { segment, size } = this.appender
    return segment === 0 ? null : { segment, offset: size }
  }

  private stamp(stream: Record.StreamName): Record.Stamp {
    const now = this.shared.clock.unsafeCurrentTimeMillis()
    // Times of a log grow, that they can be looked for. A clock that was wrong is believed when it is put right.
    if (now > this.latest || now < this.latest - clockSlack) this.latest = now
    return { at: new Date(this.latest).toISOString(), stream, incarnation: this.incarnation }
  }

  accept({ splitter, stream }: Channel, chunk: Buffer): boolean {
    const stamp = this.stamp(stream)
    const seq = this.seq + 1
    this.shared.intake.write({ ...stamp, instance: this.instance, seq }, splitter.partial, chunk)
    const { lines, records } = splitter.push(chunk, stamp, seq)
    this.seq += lines
    this.write(records)
    return !this.backlog.isLong
  }

  /** Records, and behind them what is open. */
  private write(records: Buffer): void {
    const batch = [records]
    for (const { splitter, stream } of this.channels) {
      splitter.wrote(records.length)
      if (splitter.partial === null) continue
      const open = splitter.save(this.stamp(stream), this.seq + 1)
      if (open !== null) batch.push(open)
    }
    this.backlog.add(batch.length === 1 ? records : Buffer.concat(batch))
  }

  /** Something new can be read. */
  wrote(): void {
    this.shared.written(this.instance)
  }

  broken(cause: Cause.Cause<never>): Effect.Effect<void> {
    return Effect.logError(`${this.instance}: its log could not be written`, cause)
  }

  lost(reason: LossReason, lines: number): Effect.Effect<void> {
    return this.shared.lost(this.instance, reason, lines)
  }

  /** The record that stands for lines that could not be written. */
  remark(lost: number, problem: string, seq: number): Buffer {
    return Record.encode(this.stamp("stderr"), "L", seq, Record.remark(lost, `were lost here: ${problem}`))
  }

  /** What waits is little again. */
  relieved(): void {
    this.resume()
  }

  private resume(): void {
    if (this.closed) return
    for (const channel of this.channels) channel.resume()
  }

  /** Reads what is in the FIFOs right now. */
  private drain(): void {
    for (const channel of this.channels) channel.drain()
  }

  /** The run is over: what it said is read to its end, and a last line without newline is a line. */
  end(): void {
    if (this.incarnation === 0) return
    this.drain()
    for (const { splitter, stream } of this.channels) {
      const rest = splitter.end(this.stamp(stream), this.seq + 1)
      if (rest === null) continue
      this.seq++
      this.backlog.add(rest)
    }
  }

  /** What is read from now on was said by this run. What an earlier one had begun to say is ended. */
  begin(incarnation: number): void {
    this.end()
    this.takeOver(incarnation)
  }

  /** The same of a run that another supervisor began: in the midst of a line, if that left one. */
  takeOver(incarnation: number): void {
    if (incarnation !== this.incarnation) this.end()
    this.incarnation = incarnation
    this.resume()
  }

  /** Descriptors for a process. */
  descriptors(): Effect.Effect<{ readonly stdout: number; readonly stderr: number }, LogsFailed, Scope.Scope> {
    return Effect.map(
      Effect.forEach(this.channels, ({ path }) =>
        Effect.acquireRelease(
          Effect.try({
            try: () => Fifo.openForProcess(path),
            catch: (cause) => failed(this.instance, path, codeOf(cause), "its FIFO cannot be opened")
          }),
          (fd) => Effect.sync(() => Fs.closeSync(fd))
        )),
      ([stdout = -1, stderr = -1]) => ({ stdout, stderr })
    )
  }

  /** Waits until all that was said before can be read. */
  settled(): Effect.Effect<void> {
    if (this.incarnation > 0) this.drain()
    return this.backlog.settled
  }

  /** Lines whose end has not come yet. */
  get partial(): ReadonlyArray<Record.LogRecord> {
    return this.channels.flatMap(({ splitter, stream }) =>
      splitter.partial === null
        ? []
        // It has no number yet: whoever goes on after this one gets it.
        : [{ ...this.stamp(stream), mark: "E" as const, seq: this.seq, text: splitter.partial }]
    )
  }

  close() {
    return Effect.gen(this, function*() {
      this.still()
      this.end()
      yield* bounded(this.settled(), "5 seconds")
      yield* this.finish()
    })
  }

  /** For somebody else to read on: what is in no file is still in the FIFOs. */
  leave() {
    return Effect.gen(this, function*() {
      this.still()
      yield* bounded(this.settled(), "5 seconds")
      yield* this.finish()
    })
  }

  private still(): void {
    this.closed = true
    for (const channel of this.channels) channel.pause()
  }

  private finish(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.backlog.clear()
      this.disconnect()
      return this.appender.release()
    })
  }
}

const failed = (instance: InstanceName, path: string, code: string, problem: string) =>
  new LogsFailed({ instance, path, code, problem })

/** A pump over the FIFOs in `directory`, which are made if they are not there. It is the caller's to close. */
export const make = Effect.fnUntraced(function*(instance: InstanceName, directory: string, shared: Shared) {
  const paths = Fifo.pathsOf(directory)
  const made = yield* Effect.try({
    try: () => Fs.mkdirSync(directory, { recursive: true, mode: 0o700 }),
    catch: (cause) => failed(instance, directory, codeOf(cause), "its folder cannot be made")
  })
  // In a folder that was just made there is nothing.
  const missing = Object.values(paths).filter((path) => made !== undefined || !Fs.existsSync(path))
  if (missing.length > 0) {
    yield* Effect.mapError(
      shared.makeFifos(missing),
      ({ code, message }) => failed(instance, directory, code, message)
    )
  }
  const pump = yield* Effect.try({
    try: () => {
      const pump = new Pump(instance, directory, shared)
      pump.connect(paths)
      return pump
    },
    catch: (cause) => failed(instance, directory, codeOf(cause), "its FIFOs cannot be opened")
  })
  if (made === undefined) yield* goOn(pump, directory, shared)
  return pump
})

/** A log that cannot be read is written all the same: it is numbered from 1 then. */
const goOn = (pump: Pump, directory: string, shared: Shared) =>
  Effect.gen(function*() {
    const source: Reader.Source = { directory, written: () => pump.written }
    // What a torn write left at its end is taken away by that.
    if ((yield* Reader.end(source)).segment > 0) yield* pump.reopen
    const past = yield* Recovery.read(directory, yield* Reader.end(source))
    pump.goOn(past)
    const intake = shared.intake.take(pump.instance)
    if (intake !== null) pump.replay(intake, past)
  }).pipe(
    Effect.catchAll(({ code, path }) => Effect.logWarning(`${pump.instance}: ${path} cannot be read: ${code}`))
  )
