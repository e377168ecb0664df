import * as Fs from "node:fs"
import * as Net from "node:net"
import { unless } from "../../../internal/errno.ts"
import * as Fifo from "./fifo.ts"
import type { StreamName } from "./record.ts"
import { Splitter } from "./splitter.ts"

/** More than a FIFO holds. A run that goes on printing while it is being drained is read later, as everything is. */
const drainLimit = 2 * 1024 * 1024

/** Who hears what is read. */
export interface Listener {
  /** One buffer for all: libuv fills it and hands it over in one go. */
  readonly shared: { readonly buffer: Buffer }
  /** Whether more may be read after this. */
  readonly accept: (channel: Channel, chunk: Buffer) => boolean
  readonly unreadable: (stream: StreamName, error: Error) => void
}

/** One of an instance's two FIFOs. Nothing is read before it is resumed. */
export class Channel {
  readonly stream: StreamName
  readonly path: string
  readonly splitter = new Splitter()
  private readonly listener: Listener
  private readonly fd: number
  private readonly socket: Net.Socket
  private isPaused = true

  constructor(stream: StreamName, path: string, listener: Listener) {
    const { buffer } = listener.shared
    this.stream = stream
    this.path = path
    this.listener = listener
    this.fd = Fifo.openForReading(path)
    this.socket = new Net.Socket({
      fd: this.fd,
      readable: true,
      writable: false,
      manualStart: true,
      onread: {
        buffer,
        callback: (bytes: number) => {
          this.isPaused = !listener.accept(this, buffer.subarray(0, bytes))
          return !this.isPaused
        }
      }
    } as Net.SocketConstructorOpts)
    this.socket.on("error", (error) => listener.unreadable(stream, error))
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.socket.resume()
  }

  pause(): void {
    this.socket.pause()
  }

  /** Reads what is in the FIFO right now. */
  drain(): void {
    const { buffer } = this.listener.shared
    for (let total = 0; total < drainLimit;) {
      const bytes = unless(["EAGAIN"], () => Fs.readSync(this.fd, buffer))
      if (bytes === undefined || bytes === 0) break
      total += bytes
      this.listener.accept(this, buffer.subarray(0, bytes))
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
