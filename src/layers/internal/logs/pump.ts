import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import type { InstanceName } from "../../../domain/Names.ts"
import { bounded } from "../../../internal/bounded.ts"
import { codeOf, unless } from "../../../internal/errno.ts"
import { LogsFailed, type ToolFailed } from "../../Errors.ts"
import type { LossReason } from "../../Metrics.ts"
import { Appender } from "./appender.ts"
import * as Fifo from "./fifo.ts"
import * as Intake from "./intake.ts"
import * as Reader from "./reader.ts"
import * as Record from "./record.ts"
import * as Recovery from "./recovery.ts"
import { Splitter } from "./splitter.ts"

/** What is read and not yet written, of one instance and of all: beyond, nothing more is read from the FIFO. */
const instanceLimit = 256 * 1024
const totalLimit = 32 * 1024 * 1024

/** More than a FIFO holds. A run that goes on printing while it is being drained is read later, as everything is. */
const drainLimit = 2 * 1024 * 1024

/** A clock that is set back by no more does not set the log back. Milliseconds. */
const clockSlack = 5000

/** What all pumps share. */
export interface Shared {
  readonly clock: Clock.Clock
  readonly maxBytes: number
  readonly keep: number
  readonly lost: (instance: InstanceName, reason: LossReason, lines: number) => Effect.Effect<void>
  /** Runs a write. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
  /** Something new can be read. */
  readonly written: (instance: InstanceName) => void
  readonly intake: Intake.IntakeFile
  /** One for all: libuv fills it and hands it over in one go. */
  readonly buffer: Buffer
  /** Bytes that wait to be written. */
  pendingBytes: number
}

/** One of an instance's two FIFOs. */
interface Channel {
  readonly stream: Record.StreamName
  readonly path: string
  readonly fd: number
  readonly socket: Net.Socket
  readonly splitter: Splitter
  paused: boolean
}

/** Moves what one instance prints from its FIFOs to its files. */
export class Pump {
  readonly instance: InstanceName
  private readonly shared: Shared
  private readonly appender: Appender
  private readonly channels: Array<Channel> = []
  private incarnation = 0
  /** The number of the last line, and its time. */
  private seq = 0
  private latest = 0
  private pending: Array<Buffer> = []
  private pendingBytes = 0
  private writing = false
  private closed = false
  private waiting: Array<() => void> = []

  constructor(instance: InstanceName, directory: string, shared: Shared) {
    this.instance = instance
    this.shared = shared
    this.appender = new Appender(directory, shared, this)
  }

  /** Opens the FIFOs. Nothing is read before it is known which run it comes from. */
  connect(paths: { readonly [S in Record.StreamName]: string }): void {
    try {
      this.channels.push(this.channel("stdout", paths.stdout))
      this.channels.push(this.channel("stderr", paths.stderr))
    } catch (error) {
      this.disconnect()
      throw error
    }
  }

  /** Their descriptors may be another file's from now on: nobody must find them here. */
  private disconnect(): void {
    for (const { socket } of this.channels.splice(0)) socket.destroy()
  }

  private channel(stream: Record.StreamName, path: string): Channel {
    const { shared } = this
    const fd = Fifo.openForReading(path)
    const socket = new Net.Socket({
      fd,
      readable: true,
      writable: false,
      manualStart: true,
      onread: {
        buffer: shared.buffer,
        callback: (bytes: number) => {
          this.accept(channel, shared.buffer.subarray(0, bytes))
          channel.paused = this.congested
          return !channel.paused
        }
      }
    } as Net.SocketConstructorOpts)
    socket.on("error", (error) => shared.run(Effect.logError(`${this.instance}: its ${stream} cannot be read`, error)))
    const channel: Channel = { stream, path, fd, socket, splitter: new Splitter(), paused: true }
    return channel
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

  private get congested(): boolean {
    return this.pendingBytes > instanceLimit || (this.pendingBytes > 0 && this.shared.pendingBytes > totalLimit)
  }

  private stamp(stream: Record.StreamName): Record.Stamp {
    const now = this.shared.clock.unsafeCurrentTimeMillis()
    // Times of a log grow, that they can be looked for. A clock that was wrong is believed when it is put right.
    if (now > this.latest || now < this.latest - clockSlack) this.latest = now
    return { at: new Date(this.latest).toISOString(), stream, incarnation: this.incarnation }
  }

  private accept({ splitter, stream }: Channel, chunk: Buffer): void {
    const stamp = this.stamp(stream)
    const seq = this.seq + 1
    this.shared.intake.write({ ...stamp, instance: this.instance, seq }, splitter.partial, chunk)
    const { lines, records } = splitter.push(chunk, stamp, seq)
    this.seq += lines
    this.write(records)
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
    this.enqueue(batch.length === 1 ? records : Buffer.concat(batch))
  }

  private enqueue(records: Buffer): void {
    if (records.length === 0) return
    if (!this.writing && this.appender.appendNow(records)) return this.shared.written(this.instance)
    this.pending.push(records)
    this.pendingBytes += records.length
    this.shared.pendingBytes += records.length
    if (this.writing) return
    this.writing = true
    this.shared.run(Effect.catchAllCause(this.writeAll(), (cause) => {
      this.writing = false
      return Effect.logError(`${this.instance}: its log could not be written`, cause)
    }))
  }

  /** Writes until nothing waits. There is at most one of it. */
  private writeAll() {
    return Effect.gen(this, function*() {
      while (this.pending.length > 0) {
        const [first, ...more] = this.pending
        const batch = first !== undefined && more.length === 0 ? first : Buffer.concat(this.pending)
        const waiting = this.waiting
        this.pending = []
        this.waiting = []
        yield* this.appender.append(batch)
        this.pendingBytes -= batch.length
        this.shared.pendingBytes -= batch.length
        for (const resume of waiting) resume()
        this.shared.written(this.instance)
        if (!this.congested) this.resume()
      }
      this.writing = false
    })
  }

  lost(reason: LossReason, lines: number): Effect.Effect<void> {
    return this.shared.lost(this.instance, reason, lines)
  }

  /** The record that stands for lines that could not be written. */
  remark(lost: number, problem: string, seq: number): Buffer {
    return Record.encode(this.stamp("stderr"), "L", seq, Record.remark(lost, `were lost here: ${problem}`))
  }

  private resume(): void {
    if (this.closed) return
    for (const channel of this.channels) {
      if (!channel.paused) continue
      channel.paused = false
      channel.socket.resume()
    }
  }

  /** Reads what is in the FIFOs right now. */
  private drain(): void {
    for (const channel of this.channels) {
      for (let total = 0; total < drainLimit;) {
        const bytes = unless(["EAGAIN"], () => Fs.readSync(channel.fd, this.shared.buffer))
        if (bytes === undefined || bytes === 0) break
        total += bytes
        this.accept(channel, this.shared.buffer.subarray(0, bytes))
      }
    }
  }

  /** The run is over: what it said is read to its end, and a last line without newline is a line. */
  end(): void {
    if (this.incarnation === 0) return
    this.drain()
    for (const { splitter, stream } of this.channels) {
      const rest = splitter.end(this.stamp(stream), this.seq + 1)
      if (rest === null) continue
      this.seq++
      this.enqueue(rest)
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
    if (!this.writing) return Effect.void
    return Effect.async<void>((resume) => {
      this.waiting.push(() => resume(Effect.void))
      // What is being written was taken already: an empty batch behind it tells when it is done.
      if (this.pending.length === 0) this.pending.push(Buffer.alloc(0))
    })
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
    for (const { socket } of this.channels) socket.pause()
  }

  private finish(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.pending = []
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
    // What a torn write left at its end is ended by that.
    if ((yield* Reader.end(source)).segment > 0) yield* pump.reopen
    const past = yield* Recovery.read(directory, yield* Reader.end(source))
    pump.goOn(past)
    const intake = shared.intake.take(pump.instance)
    if (intake !== null) pump.replay(intake, past)
  }).pipe(
    Effect.catchAll(({ code, path }) => Effect.logWarning(`${pump.instance}: ${path} cannot be read: ${code}`))
  )
