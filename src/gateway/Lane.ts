/**
 * A connection of a client, for as long as nothing but plain requests come on it: without the streams and events of
 * Node's server, which cost more than all the rest. At the first that is not plain, Node's server gets the connection and
 * all that has been read of it.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type * as Net from "node:net"
import type { Head } from "./AnswerReader.ts"
import type { Sink } from "./Exchange.ts"
import * as Fields from "./Fields.ts"
import * as Headers from "./Headers.ts"
import * as PlainRequest from "./PlainRequest.ts"
import * as Refusal from "./Refusal.ts"

/**
 * What becomes of a request: `leave` ends it, `closed` is told the status of the answer once, 499 if the client left
 * before it had it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served {
  readonly leave: () => void
  readonly closed: (status: number) => void
}

/**
 * Whose a lane is. `serve` gives `null` for a request that it leaves to Node's server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Owner {
  readonly serve: (request: PlainRequest.PlainRequest, lane: Lane) => Served | null
  readonly toNode: (socket: Net.Socket) => void
  /** It is between two requests. */
  readonly free: (lane: Lane) => void
  /** It is closed, or has become Node's. */
  readonly gone: (lane: Lane) => void
  /** A client that takes nothing is given up after this. */
  readonly slowMs: number
}

/** Until the first request has come. */
const firstMs = 15_000
/** Between two requests. */
const idleMs = 5000

const staysOpen = `Connection: keep-alive\r\nKeep-Alive: timeout=${idleMs / 1000}\r\n\r\n`

/** What is so small is copied into one piece with its head. */
const smallBytes = 16 * 1024

let dateAt = 0
let date = ""
const dateNow = (): string => {
  const now = Date.now()
  if (now - dateAt >= 1000) {
    dateAt = now
    date = new Date(now).toUTCString()
  }
  return date
}

/**
 * @since 0.1.0
 * @category models
 */
export class Lane implements Sink {
  readonly #socket: Net.Socket
  readonly #owner: Owner
  readonly #requests: PlainRequest.Reader
  #served: Served | null = null
  #isFirst = true
  /** The next request, which came before the answer to this one. */
  #early: Buffer | null = null
  #status = 0
  /** The head that has not been sent yet. */
  #head = ""
  #isChunked = false

  constructor(socket: Net.Socket, owner: Owner) {
    this.#socket = socket
    this.#owner = owner
    this.#requests = new PlainRequest.Reader(Headers.peerOf(socket))
    socket.setTimeout(firstMs)
    socket.on("data", this.#onData).on("end", this.#onEnd).on("timeout", this.#onTimeout)
    socket.on("error", this.#onEnd).on("close", this.#onClose)
  }

  get isBusy(): boolean {
    return this.#served !== null
  }

  get isGone(): boolean {
    return this.#socket.destroyed
  }

  get hasBegun(): boolean {
    return this.#status !== 0
  }

  begin({ fields, hasDate, length, reason, status }: Head): void {
    this.#status = status
    this.#isChunked = length === null
    const date = hasDate ? "" : `Date: ${dateNow()}\r\n`
    const framing = this.#isChunked ? "Transfer-Encoding: chunked\r\n" : ""
    this.#head = `HTTP/1.1 ${status} ${reason}\r\n${fields}${date}${framing}${staysOpen}`
  }

  write(chunk: Buffer, drained: () => void): boolean {
    const socket = this.#socket
    socket.cork()
    this.flush()
    this.#piece(chunk)
    socket.uncork()
    if (!socket.writableNeedDrain) return true
    socket.setTimeout(this.#owner.slowMs)
    socket.once("drain", () => {
      socket.setTimeout(idleMs)
      drained()
    })
    return false
  }

  flush(): void {
    if (this.#head === "") return
    this.#socket.write(this.#head, "latin1")
    this.#head = ""
  }

  end(last: Buffer | null): void {
    const socket = this.#socket
    if (!this.#isChunked && this.#head !== "" && (last === null || last.length <= smallBytes)) {
      socket.write(last === null ? this.#head : this.#head + last.toString("latin1"), "latin1")
      this.#head = ""
    } else {
      socket.cork()
      this.flush()
      if (last !== null) this.#piece(last)
      if (this.#isChunked) socket.write("0\r\n\r\n", "latin1")
      socket.uncork()
    }
    if (this.#isFirst) socket.setTimeout(idleMs)
    this.#isFirst = false
    this.#close(this.#status)
    const early = this.#early
    if (early === null) return this.#owner.free(this)
    if (socket.destroyed) return
    this.#early = null
    socket.resume()
    this.#take(early)
  }

  refuse(refusal: Refusal.Refusal): void {
    const { body, raw } = Refusal.render(refusal)
    const { status } = refusal
    const reason = Http.STATUS_CODES[status] ?? ""
    this.begin({ status, reason, fields: Fields.write(raw), hasDate: false, length: body.length })
    this.end(body)
  }

  /** Closes it between two requests, when all is written. */
  finish(): void {
    this.#socket.off("data", this.#onData)
    this.#socket.destroySoon()
  }

  /** Gives the connection away between two requests, when all is written, with nothing read of the next one. */
  giveTo(keep: (socket: Net.Socket) => void): void {
    const socket = this.#socket
    if (this.isBusy || socket.destroyed || socket.readableLength > 0) return
    if (socket.writableLength > 0) return void socket.write("", () => this.giveTo(keep))
    this.#detach()
    socket.pause()
    // A stream that is paused reads on until its buffer is full, and what it reads would be lost.
    const { _handle } = socket as unknown as { readonly _handle: { readonly readStop: () => void } | null }
    _handle?.readStop()
    keep(socket)
  }

  /** Cuts it, whatever is under way. An answer that has begun counts as what it began as. */
  cut(): void {
    this.#socket.destroy()
    if (this.hasBegun) this.#close(this.#status)
  }

  #piece(chunk: Buffer): void {
    const socket = this.#socket
    if (this.#isChunked) {
      if (chunk.length === 0) return
      socket.write(`${chunk.length.toString(16)}\r\n`, "latin1")
      socket.write(Buffer.from(chunk))
      socket.write("\r\n", "latin1")
    } else socket.write(Buffer.from(chunk))
  }

  #close(status: number): void {
    const served = this.#served
    this.#served = null
    this.#status = 0
    served?.closed(status)
  }

  #take(bytes: Buffer): void {
    const request = this.#requests.read(bytes)
    this.#served = request === null ? null : this.#owner.serve(request, this)
    if (this.#served === null) this.#toNode(bytes)
  }

  #detach(): void {
    const socket = this.#socket
    socket.off("data", this.#onData).off("end", this.#onEnd).off("timeout", this.#onTimeout)
    socket.off("error", this.#onEnd).off("close", this.#onClose)
    this.#owner.gone(this)
    socket.setTimeout(0)
  }

  #toNode(bytes: Buffer): void {
    const socket = this.#socket
    this.#detach()
    socket.pause()
    socket.unshift(bytes)
    this.#owner.toNode(socket)
    process.nextTick(() => socket.resume())
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#served === null) return this.#take(chunk)
    this.#early = this.#early === null ? chunk : Buffer.concat([this.#early, chunk])
    this.#socket.pause()
  }

  // Who says nothing more has left, as with Node's server.
  readonly #onEnd = (): void => void this.#socket.destroy()

  readonly #onTimeout = (): void => {
    if (this.#served === null || this.#socket.writableNeedDrain) this.#socket.destroy()
  }

  readonly #onClose = (): void => {
    const served = this.#served
    this.#owner.gone(this)
    if (served === null) return
    served.leave()
    this.#close(499)
  }
}
