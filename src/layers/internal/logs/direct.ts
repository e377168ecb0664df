import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { unless } from "../../../internal/errno.ts"
import * as Fifo from "./fifo.ts"
import type { StreamName } from "./record.ts"
import type { Sink, Source } from "./source.ts"

/** More than a FIFO holds. A run that goes on printing while it is being drained is read later, as everything is. */
const drainLimit = 2 * 1024 * 1024

export interface DirectOptions {
  readonly failed: (path: string, error: Error) => void
  /** One for all: libuv fills it and hands it over in one go. */
  readonly buffer: Buffer
}

/**
 * Reads an instance's FIFOs in this very process, where there is no relay. What was read and is in no file yet goes with a
 * supervisor that is killed.
 */
export const open = (
  paths: { readonly [S in StreamName]: string },
  sink: Sink,
  { buffer, failed }: DirectOptions
): Source => {
  let incarnation = 0
  const channels: Array<{ readonly stream: StreamName; readonly fd: number; readonly socket: Net.Socket }> = []
  const waiting = new Set<Net.Socket>()
  const accept = (stream: StreamName, bytes: number) => sink.accept(stream, incarnation, buffer.subarray(0, bytes))
  const add = (stream: StreamName) => {
    const fd = Fifo.openForReading(paths[stream])
    const socket: Net.Socket = new Net.Socket({
      fd,
      readable: true,
      writable: false,
      manualStart: true,
      onread: {
        buffer,
        callback: (bytes: number) => {
          waiting.add(socket)
          accept(stream, bytes)
          return !waiting.has(socket)
        }
      }
    } as Net.SocketConstructorOpts)
    socket.on("error", (error) => failed(paths[stream], error))
    channels.push({ stream, fd, socket })
    waiting.add(socket)
  }
  /** Their descriptors may be another file's afterwards: nobody must find them here. */
  const close = () => {
    waiting.clear()
    for (const { socket } of channels.splice(0)) socket.destroy()
  }
  const drain = () => {
    if (incarnation === 0) return
    for (const { fd, stream } of channels) {
      for (let total = 0; total < drainLimit;) {
        const bytes = unless(["EAGAIN"], () => Fs.readSync(fd, buffer))
        if (bytes === undefined || bytes === 0) break
        total += bytes
        accept(stream, bytes)
      }
    }
  }
  const resume = () => {
    for (const socket of waiting) socket.resume()
    waiting.clear()
  }
  try {
    add("stdout")
    add("stderr")
  } catch (error) {
    close()
    throw error
  }
  return {
    begin: (next) =>
      Effect.sync(() => {
        drain()
        incarnation = next
        resume()
        return Effect.void
      }),
    drain: Effect.sync(drain),
    logged: () => {
      if (incarnation > 0) resume()
    },
    close,
    leave: close
  }
}
