/**
 * A body on its way from a client to an instance, as quickly as the slower of the two.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"

/**
 * A body that follows a request's head.
 *
 * @since 0.1.0
 * @category models
 */
export interface Body {
  readonly from: Http.IncomingMessage
  readonly isChunked: boolean
}

/**
 * `onTimeout` is called once the client says nothing for `bodyMs`.
 *
 * @since 0.1.0
 * @category models
 */
export class Upload {
  readonly #to: Net.Socket
  readonly #from: Http.IncomingMessage
  readonly #isChunked: boolean
  readonly #bodyMs: number
  readonly #onTimeout: () => void
  isDone = false
  #isHeld = false

  constructor(
    to: Net.Socket,
    { from, isChunked }: Body,
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
