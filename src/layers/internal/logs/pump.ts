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
import * as Fifo from "./fifo.ts"
import * as Progress from "./progress.ts"
import * as Reader from "./reader.ts"
import * as Record from "./record.ts"
import * as Recovery from "./recovery.ts"
import type { IoError } from "./segments.ts"
import type { Sink, Source } from "./source.ts"
import { Tape } from "./tape.ts"

/** What all pumps share. */
export interface Shared extends BacklogShared {
  readonly clock: Clock.Clock
  readonly maxBytes: number
  readonly keep: number
  readonly lost: (instance: InstanceName, reason: LossReason, lines: number) => Effect.Effect<void>
  readonly makeFifos: (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed>
  /** Something new can be read. */
  readonly written: (instance: InstanceName) => void
}

/** How long what was said before may take to be heard, and to be written. */
const patience = "5 seconds"

/** Moves what one instance prints to its files. */
export class Pump implements Sink {
  readonly instance: InstanceName
  readonly directory: string
  private readonly shared: Shared
  private readonly appender: Appender
  private readonly backlog: Backlog
  private readonly tape = new Tape()
  private source: Source | null = null

  constructor(instance: InstanceName, directory: string, shared: Shared) {
    this.instance = instance
    this.directory = directory
    this.shared = shared
    this.appender = new Appender(directory, shared, this)
    this.backlog = new Backlog(this.appender, shared, this)
  }

  connect(source: Source): void {
    this.source = source
  }

  /** Goes on with a log that another supervisor wrote. A log that cannot be read is written all the same, from 1. */
  get goOn(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      // What a torn write left at its end is taken away by that. If it cannot be opened now, the first write tells.
      if ((yield* Reader.end(this.reading)).segment > 0) yield* Effect.ignore(this.appender.reopen)
      this.tape.goOn(yield* Recovery.read(this.directory, yield* Reader.end(this.reading)))
    }).pipe(this.orWarn(undefined))
  }

  /** How many bytes of a stream have come to the log since that had come as far as this. */
  bytesSince(before: Progress.Progress, stream: Record.StreamName): Effect.Effect<number> {
    return Reader.end(this.reading).pipe(
      Effect.flatMap((end) => Recovery.since(this.directory, end, before.seq)),
      Effect.map((records) => Progress.bytesSince(before, this.progress, records, stream)),
      this.orWarn(0)
    )
  }

  private orWarn<B>(otherwise: B) {
    return Effect.catchAll(({ code, path }: IoError) =>
      Effect.as(Effect.logWarning(`${this.instance}: ${path} cannot be read: ${code}`), otherwise)
    )
  }

  private get reading(): Reader.Source {
    return { directory: this.directory, written: () => this.written }
  }

  get progress(): Progress.Progress {
    return this.tape.progress
  }

  /** How far the log may be read; `null` before the first write. */
  get written(): Reader.Position | null {
    const { segment, size } = this.appender
    return segment === 0 ? null : { segment, offset: size }
  }

  private get now(): number {
    return this.shared.clock.unsafeCurrentTimeMillis()
  }

  accept(stream: Record.StreamName, incarnation: number, chunk: Buffer): void {
    // What comes after another supervisor was promised the rest is for that one: it is in the FIFO still.
    if (this.source === null) return
    this.turnTo(incarnation)
    this.backlog.add(this.tape.withOpen(this.tape.push(stream, this.now, chunk)))
  }

  wrote(isAll: boolean): void {
    if (isAll) this.source?.logged(this.progress)
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
    return Record.encode(
      this.tape.stamp("stderr", this.now),
      "L",
      seq,
      Record.remark(lost, `were lost here: ${problem}`)
    )
  }

  /** Nothing more comes of the run that was heard: a last line without newline is a line. */
  private endLines(): void {
    const rest = this.tape.end(this.now)
    if (rest.length > 0) this.backlog.add(rest)
  }

  private turnTo(incarnation: number): void {
    if (incarnation === this.tape.incarnation) return
    this.endLines()
    this.tape.incarnation = incarnation
  }

  /** All that was said until now is heard. */
  private get drained(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.source === null || this.tape.incarnation === 0 ? Effect.void : bounded(this.source.drain, patience)
    )
  }

  /** The run is over: what it said is read to its end. */
  get end(): Effect.Effect<void> {
    return Effect.zipRight(this.drained, Effect.sync(() => this.endLines()))
  }

  /**
   * Once what it gives is done, what is read was said by this run. It goes on with a line that it has begun; any other is
   * ended.
   */
  begin(incarnation: number): Effect.Effect<Effect.Effect<void>> {
    return Effect.suspend(() =>
      this.source === null
        ? Effect.succeed(Effect.void)
        : Effect.map(this.source.begin(incarnation), (turned) =>
          Effect.zipRight(bounded(turned, patience), Effect.sync(() => this.turnTo(incarnation))))
    )
  }

  /** Descriptors for a process. */
  get descriptors(): Effect.Effect<{ readonly stdout: number; readonly stderr: number }, LogsFailed, Scope.Scope> {
    const { stderr, stdout } = Fifo.pathsOf(this.directory)
    return Effect.all({ stdout: this.descriptor(stdout), stderr: this.descriptor(stderr) })
  }

  private descriptor(path: string) {
    return Effect.acquireRelease(
      Effect.try({
        try: () => Fifo.openForProcess(path),
        catch: (cause) => failed(this.instance, path, codeOf(cause), "its FIFO cannot be opened")
      }),
      (fd) => Effect.sync(() => Fs.closeSync(fd))
    )
  }

  /** Waits until all that was said before can be read. */
  get settled(): Effect.Effect<void> {
    return Effect.zipRight(this.drained, this.backlog.settled)
  }

  /** Lines whose end has not come yet. */
  get partial(): ReadonlyArray<Record.LogRecord> {
    const { partial, seq } = this.tape
    // It has no number yet: whoever goes on after this one gets it.
    return partial.map(([stream, text]) => ({ ...this.tape.stamp(stream, this.now), mark: "E" as const, seq, text }))
  }

  get close(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* this.end
      yield* this.finish
      this.source?.close()
      this.source = null
    })
  }

  /** For another supervisor to read on: what is in no file is still in the FIFOs. */
  get leave(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* this.finish
      this.source?.leave()
      this.source = null
    })
  }

  private get finish(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* bounded(this.backlog.settled, patience)
      this.backlog.clear()
      yield* this.appender.release()
    })
  }
}

export const failed = (instance: InstanceName, path: string, code: string, problem: string) =>
  new LogsFailed({ instance, path, code, problem })

/** A pump over the FIFOs in `directory`, which are made if they are not there. It is the caller's to close. */
export const make = Effect.fnUntraced(function*(
  instance: InstanceName,
  directory: string,
  shared: Shared,
  connect: (pump: Pump) => Effect.Effect<Source, LogsFailed>
) {
  const paths = Object.values(Fifo.pathsOf(directory))
  const made = yield* Effect.try({
    try: () => Fs.mkdirSync(directory, { recursive: true, mode: 0o700 }),
    catch: (cause) => failed(instance, directory, codeOf(cause), "its folder cannot be made")
  })
  // In a folder that was just made there is nothing.
  const missing = paths.filter((path) => made !== undefined || !Fs.existsSync(path))
  if (missing.length > 0) {
    yield* Effect.mapError(
      shared.makeFifos(missing),
      ({ code, message }) => failed(instance, directory, code, message)
    )
  }
  yield* Effect.try({
    try: () => Fifo.check(paths),
    catch: (cause) => failed(instance, directory, codeOf(cause), "its FIFOs cannot be opened")
  })
  const pump = new Pump(instance, directory, shared)
  if (made === undefined) yield* pump.goOn
  pump.connect(yield* connect(pump))
  return pump
})
