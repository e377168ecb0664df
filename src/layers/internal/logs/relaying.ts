import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { InstanceName } from "../../../domain/Names.ts"
import type * as LauncherPipe from "../../LauncherPipe.ts"
import { Frames } from "./frames.ts"
import * as Progress from "./progress.ts"
import type { StreamName } from "./record.ts"
import type { Sink, Source } from "./source.ts"

const streams: ReadonlyArray<StreamName> = ["stdout", "stderr"]

/** What a supervisor that was ended had heard, and perhaps put into the log, which had come so far before. */
export interface Left {
  readonly streams: ReadonlyArray<StreamName>
  readonly progress: Progress.Progress
}

/** An instance, and how many bytes of its FIFOs are in the log already. */
export interface Attached {
  readonly instance: InstanceName
  readonly directory: string
  readonly sink: Sink
  readonly progress: Progress.Progress
  readonly logged: { readonly [S in StreamName]: number }
}

/** A relay that runs. */
export interface Relay {
  readonly left: (instance: InstanceName) => Left | null
  readonly attach: (attached: Attached) => Source
}

/** What the process has to know, also if it is started again. */
export class Relaying implements Relay {
  private pipe: LauncherPipe.Pipe | null = null
  private readonly attached = new Map<number, Attachment>()
  private readonly waiting = new Map<number, { readonly line: string; readonly turned: Deferred.Deferred<void> }>()
  private known: ReadonlyMap<string, Left> = new Map()
  private lastId = 0
  private lastToken = 0
  private outgoing = ""
  private isHearing = false
  private frames: Frames = new Frames(() => {})

  /** Tells a new process what the one before it knew. */
  start(pipe: LauncherPipe.Pipe, root: string, held: ReadonlyArray<string>, begun: () => void): void {
    this.pipe = pipe
    this.frames = new Frames((kind, a, b, data) => {
      if (kind === "d") this.attached.get(a >> 1)?.accept(a & 1, b, data)
      else if (kind === "t") this.answer(a)
      else {
        this.known = leftIn(data.toString("latin1"))
        begun()
      }
    })
    for (const directory of held) this.send(`h${directory}`)
    this.send(`s ${root}`)
    for (const one of this.attached.values()) one.introduce()
    for (const { line } of this.waiting.values()) this.send(line)
  }

  hear(bytes: Buffer): void {
    this.isHearing = true
    this.frames.push(bytes)
    this.isHearing = false
    this.flush()
  }

  send(line: string): void {
    this.outgoing += this.outgoing === "" ? line : `\n${line}`
    // What comes of one read goes in one write.
    if (!this.isHearing) this.flush()
  }

  private flush(): void {
    if (this.outgoing !== "") this.pipe?.send(this.outgoing)
    this.outgoing = ""
  }

  private answer(token: number): void {
    const turned = this.waiting.get(token)?.turned
    this.waiting.delete(token)
    if (turned !== undefined) Deferred.unsafeDone(turned, Exit.void)
  }

  left(instance: InstanceName): Left | null {
    return this.known.get(instance) ?? null
  }

  attach(attached: Attached): Source {
    const one = new Attachment(++this.lastId, attached, this)
    this.attached.set(one.id, one)
    one.introduce()
    return one
  }

  detach(id: number): void {
    this.attached.delete(id)
  }

  /** What it gives is done when all is handed on that is in the FIFOs now; what follows is of this run. */
  turn(id: number, incarnation: number): Effect.Effect<Effect.Effect<void>> {
    return Effect.sync(() => {
      const token = ++this.lastToken
      const line = `=${id} ${incarnation} ${token}`
      const turned = Deferred.unsafeMake<void>(FiberId.none)
      this.waiting.set(token, { line, turned })
      this.send(line)
      return Deferred.await(turned)
    })
  }
}

const leftIn = (text: string): ReadonlyMap<string, Left> =>
  new Map(
    text.split("\n").flatMap((line) => {
      const [instance = "", mask = "", encoded = ""] = line.split(" ")
      const progress = Progress.decode(encoded)
      return progress === null
        ? []
        : [[instance, { streams: streams.filter((_, i) => Number(mask) & 1 << i), progress }] as const]
    })
  )

class Attachment implements Source {
  readonly id: number
  private readonly attached: Attached
  private readonly relaying: Relaying
  private incarnation = 0
  private progress: Progress.Progress
  /** Bytes that are in the log, or on their way to it, and in the FIFO still. */
  private readonly taken: [stdout: number, stderr: number]

  constructor(id: number, attached: Attached, relaying: Relaying) {
    this.id = id
    this.attached = attached
    this.relaying = relaying
    this.progress = attached.progress
    this.taken = [attached.logged.stdout, attached.logged.stderr]
  }

  introduce(): void {
    const { id, incarnation, progress, relaying, taken } = this
    const { directory, instance } = this.attached
    relaying.send(`+${id} ${Progress.encode(progress)} ${taken.join(" ")} ${instance} ${directory}`)
    taken.fill(0)
    if (incarnation > 0) relaying.send(`=${id} ${incarnation} 0`)
  }

  accept(stream: number, incarnation: number, chunk: Buffer): void {
    this.taken[stream] = chunk.length
    this.attached.sink.accept(streams[stream] ?? "stdout", incarnation, chunk)
  }

  begin(incarnation: number): Effect.Effect<Effect.Effect<void>> {
    return Effect.suspend(() => {
      this.incarnation = incarnation
      return this.relaying.turn(this.id, incarnation)
    })
  }

  get drain(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.incarnation === 0 ? Effect.void : Effect.flatten(this.relaying.turn(this.id, this.incarnation))
    )
  }

  logged(progress: Progress.Progress): void {
    const { id, relaying, taken: [stdout, stderr] } = this
    this.progress = progress
    if (stdout + stderr === 0) return
    relaying.send(`a${id} ${(stdout > 0 ? 1 : 0) + (stderr > 0 ? 2 : 0)} ${Progress.encode(progress)}`)
    this.taken.fill(0)
  }

  close(): void {
    this.relaying.detach(this.id)
    this.relaying.send(`-${this.id}`)
  }

  leave(): void {
    this.relaying.detach(this.id)
  }
}
