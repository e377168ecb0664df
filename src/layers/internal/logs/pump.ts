import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import type { InstanceName } from "../../../domain/Names.ts"
import type { Unfinished } from "../../../domain/Saved.ts"
import { bounded } from "../../../internal/bounded.ts"
import { codeOf, unless } from "../../../internal/errno.ts"
import { LogsFailed, type ToolFailed } from "../../Errors.ts"
import * as Fifo from "./fifo.ts"
import type { Position } from "./reader.ts"
import * as Record from "./record.ts"
import { Appender } from "./segments.ts"

/** What is read and not yet written, of one instance and of all: beyond, nothing more is read from the FIFO. */
const instanceLimit = 256 * 1024
const totalLimit = 32 * 1024 * 1024

/** More than a FIFO holds. A run that goes on printing while it is being drained is read later, as everything is. */
const drainLimit = 2 * 1024 * 1024

/** What all pumps share. */
export interface Shared {
  readonly clock: Clock.Clock
  readonly maxBytes: number
  readonly keep: number
  readonly lost: (instance: InstanceName, lines: number) => Effect.Effect<void>
  /** Runs a write. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
  /** Something new can be read. */
  readonly written: (instance: InstanceName) => void
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
  readonly splitter: Record.Splitter
  paused: boolean
}

/** Moves what one instance prints from its FIFOs to its files. */
export class Pump {
  readonly instance: InstanceName
  private readonly shared: Shared
  private readonly appender: Appender
  private readonly channels: Array<Channel> = []
  private incarnation = 0
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
    const channel: Channel = { stream, path, fd, socket, splitter: new Record.Splitter(), paused: true }
    return channel
  }

  /** How far the log may be read; `null` before the first write. */
  get written(): Position | null {
    const { segment, size } = this.appender
    return segment === 0 ? null : { segment, offset: size }
  }

  private get congested(): boolean {
    return this.pendingBytes > instanceLimit || (this.pendingBytes > 0 && this.shared.pendingBytes > totalLimit)
  }

  private stamp(stream: Record.StreamName): Record.Stamp {
    const at = new Date(this.shared.clock.unsafeCurrentTimeMillis()).toISOString()
    return { at, stream, incarnation: this.incarnation }
  }

  private accept(channel: Channel, chunk: Buffer): void {
    this.enqueue(channel.splitter.push(chunk, this.stamp(channel.stream)))
  }

  private enqueue(records: Buffer): void {
    if (records.length === 0) return
    if (!this.writing && this.appender.appendNow(records)) return this.shared.written(this.instance)
    this.pending.push(records)
    this.pendingBytes += records.length
    this.shared.pendingBytes += records.length
    if (this.writing) return
    this.writing = true
    this.shared.run(Effect.catchAllCause(this.write(), (cause) => {
      this.writing = false
      return Effect.logError(`${this.instance}: its log could not be written`, cause)
    }))
  }

  /** Writes until nothing waits. There is at most one of it. */
  private write() {
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

  lost(lines: number): Effect.Effect<void> {
    return this.shared.lost(this.instance, lines)
  }

  /** The record that stands for lines that could not be written. */
  remark(lost: number, problem: string): Buffer {
    return Record.encode(this.stamp("stderr"), "L", `[tenement: ${lost} lines were lost here: ${problem}]`)
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
      const rest = splitter.end(this.stamp(stream))
      if (rest !== null) this.enqueue(rest)
    }
  }

  /** What is read from now on was said by this run, and goes on where somebody else left it. */
  begin(incarnation: number, unfinished: Unfinished = {}): void {
    this.end()
    this.incarnation = incarnation
    for (const { splitter, stream } of this.channels) {
      const text = unfinished[stream]
      if (text !== undefined) splitter.goOn(Buffer.from(text, "base64"))
    }
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
      splitter.partial === null ? [] : [{ ...this.stamp(stream), mark: "E" as const, text: splitter.partial }]
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

  /** For somebody else to read on: what is in no file is given, or still in the FIFOs. */
  leave() {
    return Effect.gen(this, function*() {
      this.still()
      yield* bounded(this.settled(), "5 seconds")
      const unfinished: { [S in Record.StreamName]?: string } = {}
      for (const { splitter, stream } of this.channels) {
        if (splitter.partial !== null) unfinished[stream] = splitter.partial.toString("base64")
      }
      yield* this.finish()
      return unfinished
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
  return yield* Effect.try({
    try: () => {
      const pump = new Pump(instance, directory, shared)
      pump.connect(paths)
      return pump
    },
    catch: (cause) => failed(instance, directory, codeOf(cause), "its FIFOs cannot be opened")
  })
})
