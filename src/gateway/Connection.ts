/**
 * A connection to an instance, and the request that is on it.
 *
 * @since 0.1.0
 */
import * as Net from "node:net"
import { codeOf } from "../internal/errno.ts"
import type { Address } from "../layers/Endpoint.ts"
import { AnswerReader, type Head, type Receiver } from "./AnswerReader.ts"
import { type Body, Upload } from "./Upload.ts"

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
  readonly body: Body | null
  /** On a connection that was used before, if there is one: it may be closed at the very moment it is used. */
  readonly mayReuse: boolean
  /** A new one is made for it. */
  readonly connected: (socket: Net.Socket) => void
  readonly onHead: (head: Head) => void
  /** Lent until it returns. `false` holds the instance back until `resume`. */
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
 * Whose a connection is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Owner {
  /** It can be used again. */
  readonly free: () => void
  readonly closed: () => void
}

/** What is read comes here, whatever connection it is of: who keeps it copies it. */
let received: Buffer | null = null

/**
 * @since 0.1.0
 * @category models
 */
export class Connection implements Running, Receiver {
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
    const buffer = received ??= Buffer.allocUnsafeSlow(64 * 1024)
    const onread = {
      buffer,
      callback: (length: number) => {
        this.#read(buffer.subarray(0, length))
        return true
      }
    }
    const socket = Net.connect("path" in address ? { ...address, onread } : { ...address, onread, noDelay: true })
    this.socket = socket
    // Once for all requests: it begins anew with each byte either way.
    socket.setTimeout(patience.answerMs)
    socket.on("connect", () => this.#call !== null && this.#send(this.#call))
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
