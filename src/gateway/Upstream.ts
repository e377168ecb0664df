/**
 * Connections to instances: one request at a time on each, and kept open for the next.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import * as Net from "node:net"
import { codeOf } from "../internal/errno.ts"
import type { Address } from "../layers/Endpoint.ts"
import { AnswerReader, type Head, type Receiver } from "./AnswerReader.ts"

/**
 * A request, and who is told what comes of it. Whatever is told after `end` or `failed` is none of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  /** The request's head, to its empty line. */
  readonly head: string
  readonly isHead: boolean
  readonly body: { readonly from: Http.IncomingMessage; readonly isChunked: boolean } | null
  /** On a connection that was used before, if there is one: it may be closed at the very moment it is used. */
  readonly mayReuse: boolean
  /** A new one is made for it. */
  readonly connected: (socket: Net.Socket) => void
  readonly onHead: (head: Head) => void
  /** `false` holds the instance back until `resume`. */
  readonly onData: (chunk: Buffer) => boolean
  /** What has come so far is all for now. */
  readonly onPause: () => void
  readonly onEnd: (last: Buffer | null) => void
  readonly onFailure: (failure: Failure) => void
}

/**
 * What went wrong, and how far it had come: whether something of the request may have been read, whether something of
 * an answer has come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure {
  readonly kind: "connect" | "broken-off" | "bad-answer" | "answer-timeout" | "body-timeout"
  /** Why it could not be connected to. */
  readonly code: string
  readonly isSent: boolean
  readonly isHeard: boolean
}

/**
 * How long is waited, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Patience {
  /** For the next byte of a request's body. */
  readonly bodyMs: number
  /** From the request to the head of the answer, without a byte. */
  readonly answerMs: number
}

/** A connection that nobody uses is closed after this; many servers would do so themselves after five seconds. */
const idleMs = 4000

/** How many such connections are kept to one instance. */
const mostIdle = 64

/**
 * The connections to one address.
 *
 * @since 0.1.0
 * @category models
 */
interface Peer {
  readonly address: Address
  /** The one used last comes last: those that are too many are left alone until they are closed. */
  readonly idle: Array<Connection>
  /** All there are, also those in use. */
  open: number
}

/**
 * A request under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Running {
  /** Goes on after `onData` has held it back. */
  readonly resume: () => void
  /** Ends it, and its connection with it. Nothing is told any more. */
  readonly abort: () => void
}

/**
 * All connections to instances.
 *
 * @since 0.1.0
 * @category models
 */
export class Upstream {
  readonly patience: Patience
  readonly #peers = new Map<string, Peer>()
  readonly #open = new Set<Connection>()
  #sweep: NodeJS.Timeout | null = null

  constructor(patience: Patience) {
    this.patience = patience
  }

  run(address: Address, call: Call): Running {
    const key = "path" in address ? address.path : `${address.host}:${address.port}`
    let peer = this.#peers.get(key)
    if (peer === undefined) this.#peers.set(key, peer = { address, idle: [], open: 0 })
    const connection = (call.mayReuse ? peer.idle.pop() : undefined) ?? this.#connect(key, peer, call)
    connection.run(call)
    return connection
  }

  close(): void {
    for (const connection of this.#open) connection.abort()
    if (this.#sweep !== null) clearInterval(this.#sweep)
    this.#sweep = null
  }

  #connect(key: string, peer: Peer, call: Call): Connection {
    const connection: Connection = new Connection(peer.address, this.patience, {
      free: () => {
        if (peer.idle.length >= mostIdle) return connection.abort()
        peer.idle.push(connection)
        this.#sweep ??= setInterval(() => this.#closeIdle(), 1000).unref()
      },
      closed: () => {
        this.#open.delete(connection)
        const index = peer.idle.indexOf(connection)
        if (index >= 0) peer.idle.splice(index, 1)
        if (--peer.open === 0) this.#peers.delete(key)
      }
    })
    this.#open.add(connection)
    peer.open++
    call.connected(connection.socket)
    return connection
  }

  #closeIdle(): void {
    const now = performance.now()
    let isAny = false
    for (const { idle } of this.#peers.values()) {
      // Those used longest ago come first.
      const fresh = idle.findIndex((connection) => now - connection.freeSince < idleMs)
      for (const connection of idle.splice(0, fresh < 0 ? idle.length : fresh)) connection.abort()
      if (idle.length > 0) isAny = true
    }
    if (isAny || this.#sweep === null) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }
}

interface Owner {
  /** It can be used again. */
  readonly free: () => void
  readonly closed: () => void
}

class Connection implements Running, Receiver {
  readonly socket: Net.Socket
  readonly #owner: Owner
  readonly #patience: Patience
  readonly #reader = new AnswerReader(this)
  #call: Call | null = null
  #isSent = false
  #isHeard = false
  #hasHead = false
  /** Whose answer is whole, and its last piece. */
  #answered: Call | null = null
  #last: Buffer | null = null
  #upload: Upload | null = null
  freeSince = 0

  constructor(address: Address, patience: Patience, owner: Owner) {
    this.#owner = owner
    this.#patience = patience
    const socket = Net.connect("path" in address ? address : { ...address, noDelay: true })
    this.socket = socket
    // Once for all requests: it begins anew with each byte either way.
    socket.setTimeout(patience.answerMs)
    socket.on("connect", () => this.#call !== null && this.#send(this.#call))
    socket.on("data", (chunk: Buffer) => this.#read(chunk))
    socket.on("end", () => this.#close(""))
    socket.on("error", (error) => this.#close(codeOf(error)))
    socket.on("timeout", () => this.#tooLong())
    socket.on("close", () => {
      this.#close("")
      owner.closed()
    })
  }

  run(call: Call): void {
    this.#call = call
    this.#isSent = false
    this.#isHeard = false
    this.#hasHead = false
    this.#reader.expect(call.isHead)
    if (!this.socket.connecting) this.#send(call)
  }

  resume(): void {
    this.socket.resume()
  }

  abort(): void {
    this.#leave()
    this.socket.destroy()
  }

  head(head: Head): void {
    this.#hasHead = true
    this.#call?.onHead(head)
  }

  data(chunk: Buffer): void {
    if (this.#call?.onData(chunk) === false) this.socket.pause()
  }

  end(last: Buffer | null): void {
    this.#answered = this.#call
    this.#call = null
    this.#last = last
  }

  #send(call: Call): void {
    this.#isSent = true
    this.socket.write(call.head, "latin1")
    if (call.body === null) return
    this.#upload = new Upload(this.socket, call.body, this.#patience.bodyMs, () => this.#fail("body-timeout"))
  }

  #read(chunk: Buffer): void {
    // Nobody asked for anything.
    if (this.#call === null) return this.abort()
    this.#isHeard = true
    const isHttp = this.#reader.read(chunk)
    if (this.#answered !== null) {
      // What the instance does not want to hear any more is nobody's.
      const isOver = this.#upload === null || this.#upload.isDone
      return this.#finish(this.#answered, isHttp && isOver && this.#reader.staysOpen && !this.socket.destroyed)
    }
    if (!isHttp) return this.#fail("bad-answer")
    this.#call?.onPause()
  }

  #close(code: string): void {
    if (this.#call === null) return this.abort()
    this.#reader.close()
    if (this.#answered !== null) return this.#finish(this.#answered, false)
    this.#fail(this.#isSent ? "broken-off" : "connect", code)
  }

  /** The next request, which may follow at once, is to find the connection free. */
  #finish(call: Call, mayStay: boolean): void {
    const last = this.#last
    this.#answered = null
    this.#last = null
    if (mayStay) {
      this.#upload = null
      this.socket.resume()
      this.freeSince = performance.now()
      this.#owner.free()
    } else this.abort()
    call.onEnd(last)
  }

  #tooLong(): void {
    // Once it answers it may take its time; so may a client, whose own time is taken elsewhere.
    if (this.#call === null || this.#hasHead || this.#upload?.isWaitingForClient === true) return
    this.#fail("answer-timeout")
  }

  #fail(kind: Failure["kind"], code = ""): void {
    const call = this.#call
    const failure = { kind, code, isSent: this.#isSent, isHeard: this.#isHeard }
    this.abort()
    call?.onFailure(failure)
  }

  #leave(): void {
    this.#call = null
    this.#upload?.stop()
    this.#upload = null
  }
}

/** A body on its way from a client to an instance, as quickly as the slower of the two. */
class Upload {
  readonly #to: Net.Socket
  readonly #from: Http.IncomingMessage
  readonly #isChunked: boolean
  readonly #bodyMs: number
  readonly #onTimeout: () => void
  isDone = false
  #isHeld = false

  constructor(
    to: Net.Socket,
    { from, isChunked }: { readonly from: Http.IncomingMessage; readonly isChunked: boolean },
    bodyMs: number,
    onTimeout: () => void
  ) {
    this.#to = to
    this.#from = from
    this.#isChunked = isChunked
    this.#bodyMs = bodyMs
    this.#onTimeout = onTimeout
    from.socket.setTimeout(bodyMs)
    from.on("timeout", onTimeout).on("data", this.#onData).on("end", this.#onEnd)
    to.on("drain", this.#onDrain)
  }

  get isWaitingForClient(): boolean {
    return !this.isDone && !this.#isHeld
  }

  stop(): void {
    const from = this.#from
    from.off("timeout", this.#onTimeout).off("data", this.#onData).off("end", this.#onEnd)
    this.#to.off("drain", this.#onDrain)
    from.socket.setTimeout(0)
  }

  readonly #onData = (chunk: Buffer): void => {
    const to = this.#to
    if (this.#isChunked) {
      to.cork()
      to.write(`${chunk.length.toString(16)}\r\n`, "latin1")
      to.write(chunk)
      to.write("\r\n", "latin1")
      to.uncork()
    } else to.write(chunk)
    if (!to.writableNeedDrain) return
    this.#isHeld = true
    this.#from.pause()
    // The client is not the one who is slow.
    this.#from.socket.setTimeout(0)
  }

  readonly #onDrain = (): void => {
    if (!this.#isHeld || this.isDone) return
    this.#isHeld = false
    this.#from.socket.setTimeout(this.#bodyMs)
    this.#from.resume()
  }

  readonly #onEnd = (): void => {
    this.isDone = true
    if (this.#isChunked) this.#to.write("0\r\n\r\n", "latin1")
    this.stop()
  }
}
