/** @internal */
import * as Net from "node:net"
import * as Util from "node:util"

/** A socket that is bound and that nobody polls: what connects to it, once it listens, is not accepted in this process. */
export interface BoundSocket {
  readonly fd: number
  /** Removes the name of a Unix socket, too. */
  readonly close: () => void
}

/** What Node's cluster makes sockets with, for its workers to listen on. Errors are given as libuv's numbers. */
interface Handle extends BoundSocket {
  readonly getsockname: (found: object) => number
}

const { _createServerHandle: createServerHandle } = Net as unknown as {
  readonly _createServerHandle: (address: string, port: number, family: number) => Handle | number
}

const refuse = (error: number): never => {
  throw Object.assign(new Error("a socket cannot be bound"), { code: Util.getSystemErrorName(error) })
}

const bound = (made: Handle | number): Handle => typeof made === "number" ? refuse(made) : made

/** Binds a path, or throws with an errno. */
export const atPath = (path: string): BoundSocket => bound(createServerHandle(path, -1, -1))

/** Binds a port of loopback, or throws with an errno. */
export const atPort = (port: number): BoundSocket => {
  const handle = bound(createServerHandle("127.0.0.1", port, 4))
  // What the kernel has said against it comes with the first question.
  const error = handle.getsockname({})
  if (error === 0) return handle
  handle.close()
  return refuse(error)
}
