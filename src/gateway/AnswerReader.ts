/**
 * Reads the answers that come in on one connection: HTTP/1.1 as RFC 9112 has it, and nothing that another reader might
 * take otherwise.
 *
 * @since 0.1.0
 */
import * as AnswerHead from "./AnswerHead.ts"
import * as Fields from "./Fields.ts"

/**
 * What goes on of an answer's head. `fields` are valid lines; `length` is the body's, `null` where only its end tells.
 *
 * @since 0.1.0
 * @category models
 */
export type Head = Pick<AnswerHead.AnswerHead, "status" | "reason" | "fields" | "hasDate" | "length">

/**
 * Who is told what comes. What `data` and `end` get is lent until `read` returns; the last piece comes with `end`, where
 * it is known to be the last.
 *
 * @since 0.1.0
 * @category models
 */
export interface Receiver {
  readonly head: (head: Head) => void
  readonly data: (chunk: Buffer) => void
  readonly end: (last: Buffer | null) => void
}

const maxHeadBytes = 64 * 1024
const maxTrailerBytes = 16 * 1024
const maxSizeLineBytes = 1024
/** Notices before the answer, such as 103. */
const maxNotices = 32

const sizeLine = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/

const { lineEnd } = Fields
const separator = `${lineEnd}${lineEnd}`

type State = "head" | "length" | "size" | "chunk" | "chunk-end" | "trailer" | "until-close" | "done"

/**
 * @since 0.1.0
 * @category models
 */
export class AnswerReader {
  readonly #to: Receiver
  #state: State = "done"
  /** Bytes of what cannot be read before all of it is there: a head, a line, trailers. */
  #kept: Buffer | null = null
  #rest = 0
  #isHead = false
  #notices = 0
  /** Whether another answer may follow this one on the connection. */
  staysOpen = false

  constructor(to: Receiver) {
    this.#to = to
  }

  /** An answer is to come; one to `HEAD` has no body, whatever it says. */
  expect(isHead: boolean): void {
    this.#state = "head"
    this.#kept = null
    this.#isHead = isHead
    this.#notices = 0
    this.staysOpen = false
  }

  /** Whether the answer is whole. */
  get isDone(): boolean {
    return this.#state === "done"
  }

  /** Nothing more comes. Whether that was the end of the answer. */
  close(): boolean {
    if (this.#state !== "until-close") return false
    this.#state = "done"
    this.#to.end(null)
    return true
  }

  /** Takes bytes, and says whether they can be understood. */
  read(chunk: Buffer): boolean {
    let at = 0
    while (at < chunk.length) {
      const next = this.#step(chunk, at)
      if (next < 0) return false
      at = next
    }
    return true
  }

  /** Reads on at `at`; gives where it has come to, -1 for what is not HTTP. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#upTo(separator, maxHeadBytes, chunk, at)
      case "length": {
        const end = Math.min(chunk.length, at + this.#rest)
        this.#rest -= end - at
        const piece = slice(chunk, at, end)
        if (this.#rest > 0) this.#to.data(piece)
        else this.#finish(piece)
        return end
      }
      case "size":
        return this.#upTo(lineEnd, maxSizeLineBytes, chunk, at)
      case "chunk": {
        const end = Math.min(chunk.length, at + this.#rest)
        this.#rest -= end - at
        if (this.#rest === 0) this.#state = "chunk-end"
        this.#to.data(slice(chunk, at, end))
        return end
      }
      case "chunk-end":
        return this.#upTo(lineEnd, lineEnd.length, chunk, at)
      case "trailer":
        return this.#upTo(lineEnd, maxTrailerBytes, chunk, at)
      case "until-close":
        this.#to.data(slice(chunk, at, chunk.length))
        return chunk.length
      case "done":
        // Nobody asked for it.
        return -1
    }
  }

  /** Takes the text up to `mark`, once all of it is there. */
  #upTo(mark: string, most: number, chunk: Buffer, at: number): number {
    const kept = this.#kept
    if (kept === null) {
      const found = find(chunk, mark, at)
      if (found >= 0) {
        const end = found + mark.length
        return end - at <= most && this.#take(chunk, at, end) ? end : -1
      }
      this.#kept = Buffer.from(chunk.subarray(at))
      return this.#kept.length < most ? chunk.length : -1
    }
    // The mark may lie across the seam.
    const whole = Buffer.concat([kept, chunk.subarray(at)])
    const found = find(whole, mark, Math.max(0, kept.length - mark.length))
    if (found < 0) {
      this.#kept = whole
      return whole.length < most ? chunk.length : -1
    }
    this.#kept = null
    const end = found + mark.length
    return end <= most && this.#take(whole, 0, end) ? at + end - kept.length : -1
  }

  #take(bytes: Buffer, start: number, end: number): boolean {
    if (this.#state === "head") return this.#onHead(AnswerHead.of(bytes, start, end))
    const text = bytes.toString("latin1", start, end)
    switch (this.#state) {
      case "size":
        return this.#onSize(text)
      case "chunk-end":
        return this.#onChunkEnd(text)
      default:
        return this.#onTrailer(text)
    }
  }

  #finish(last: Buffer | null): void {
    this.#state = "done"
    this.#to.end(last)
  }

  #onHead(head: AnswerHead.AnswerHead | null): boolean {
    if (head === null) return false
    const { fields, hasDate, isChunked, length, reason, status } = head
    if (status < 200) {
      // 101 changes what the next bytes mean, which only who asked for it can know.
      return status !== 101 && ++this.#notices <= maxNotices
    }
    this.staysOpen = head.staysOpen
    const isBodiless = this.#isHead || status === 204 || status === 304
    this.#to.head({ status, reason, fields, hasDate, length: isBodiless ? 0 : length })
    if (isBodiless || length === 0) this.#finish(null)
    else if (length !== null) {
      this.#rest = length
      this.#state = "length"
    } else if (isChunked) this.#state = "size"
    else {
      this.staysOpen = false
      this.#state = "until-close"
    }
    return true
  }

  #onSize(text: string): boolean {
    const [, size] = sizeLine.exec(text.slice(0, -lineEnd.length)) ?? []
    if (size === undefined) return false
    this.#rest = Number.parseInt(size, 16)
    this.#state = this.#rest === 0 ? "trailer" : "chunk"
    return true
  }

  #onChunkEnd(text: string): boolean {
    this.#state = "size"
    return text === lineEnd
  }

  /** What the trailer says is the connection's; only where it ends is of interest. */
  #onTrailer(text: string): boolean {
    if (text === lineEnd) {
      this.#finish(null)
      return true
    }
    return Fields.areValid(text)
  }
}

const slice = (chunk: Buffer, start: number, end: number): Buffer =>
  start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)

const lineFeed = 10

/** `bytes.indexOf(mark, from)`, for what ends a line and is near: the call would cost more than to look. */
const find = (bytes: Buffer, mark: string, from: number): number => {
  for (let end = from + mark.length - 1; end < bytes.length; end++) {
    if (bytes[end] !== lineFeed) continue
    const start = end - mark.length + 1
    let at = start
    while (at < end && bytes[at] === mark.charCodeAt(at - start)) at++
    if (at === end) return start
  }
  return -1
}
