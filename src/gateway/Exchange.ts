/**
 * One request and its answer, between a client and an instance.
 *
 * @since 0.1.0
 */
import type * as Net from "node:net"
import type { Address } from "../layers/Endpoint.ts"
import type { Head } from "./AnswerReader.ts"
import type { Call, Failure, Running } from "./Connection.ts"
import * as Refusal from "./Refusal.ts"
import type { Body } from "./Upload.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * Where an answer goes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sink {
  /** Nobody is there any more. */
  readonly isGone: boolean
  /** Something of an answer may be on its way. */
  readonly hasBegun: boolean
  /** Throws for what cannot be passed on. */
  readonly begin: (head: Head) => void
  /** A piece of the body, lent until it returns. `false`: no more, until `drained` is called. */
  readonly write: (chunk: Buffer, drained: () => void) => boolean
  /** What was written so far is all for now. */
  readonly flush: () => void
  readonly end: (last: Buffer | null) => void
}

/**
 * Who asks. `to` gives another address for each try, or says why there is none; it may take its time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asking {
  readonly to: (then: (to: Address | Refusal.Refusal) => void) => void
  /** This connection was made for it; others may use it later. */
  readonly connected: (socket: Net.Socket) => void
  /** The instance is being stopped, and was not given longer than this. */
  readonly isOverdue: () => boolean
  readonly refuse: (refusal: Refusal.Refusal) => void
  /** The answer broke off after its head: the client is to see that it is not whole. */
  readonly brokeOff: () => void
}

/**
 * What is asked: the head of the request to an instance, and the body that follows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Question {
  readonly method: string
  readonly head: string
  readonly body: Body | null
}

/**
 * On so many connections a request is tried.
 *
 * @since 0.1.0
 * @category constants
 */
export const mostTries = 3

// RFC 9110, 9.2.2
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

/**
 * It is tried again where nothing has been sent, or where nothing can have happened twice and nothing came back: an
 * idempotent method without a body. A method that is not has a new connection, which cannot have been closed in the
 * meantime.
 *
 * @since 0.1.0
 * @category models
 */
export class Exchange implements Call {
  readonly head: string
  readonly isHead: boolean
  readonly body: Body | null
  readonly mayReuse: boolean
  readonly #upstream: Upstream
  readonly #asking: Asking
  readonly #sink: Sink
  #left = mostTries
  #running: Running | null = null
  #isFlushed = false

  constructor(upstream: Upstream, { body, head, method }: Question, asking: Asking, sink: Sink) {
    this.#upstream = upstream
    this.#asking = asking
    this.#sink = sink
    this.head = head
    this.body = body
    this.isHead = method === "HEAD"
    this.mayReuse = body === null && idempotent.has(method)
  }

  begin(): void {
    this.#asking.to((to) => "status" in to ? this.#asking.refuse(to) : this.beginAt(to))
  }

  beginAt(address: Address): void {
    this.#left -= 1
    this.#running = this.#upstream.run(address, this)
  }

  /** Ends it early. */
  abort(): void {
    this.#running?.abort()
    this.#running = null
  }

  connected(socket: Net.Socket): void {
    this.#asking.connected(socket)
  }

  onHead(head: Head): void {
    try {
      this.#sink.begin(head)
    } catch {
      this.abort()
      this.#asking.refuse(Refusal.unfit)
    }
  }

  onData(chunk: Buffer): boolean {
    this.#isFlushed = true
    return this.#sink.write(chunk, this.#goOn)
  }

  onPause(): void {
    // What comes bit by bit, as events do, is not kept until there is more of it.
    if (this.#isFlushed || !this.#sink.hasBegun) return
    this.#isFlushed = true
    this.#sink.flush()
  }

  onEnd(last: Buffer | null): void {
    this.#running = null
    this.#sink.end(last)
  }

  onFailure(failure: Failure): void {
    this.#running = null
    if (this.#sink.isGone) return
    if (this.#sink.hasBegun) return this.#asking.brokeOff()
    const mayAgain = failure.kind === "connect" ||
      (this.mayReuse && failure.kind === "broken-off" && !failure.isHeard)
    if (mayAgain && this.#left > 0) this.begin()
    else if (this.#asking.isOverdue()) this.#asking.refuse(Refusal.tooLate)
    else this.#asking.refuse(Refusal.because(failure, this.#upstream.patience))
  }

  readonly #goOn = (): void => this.#running?.resume()
}
