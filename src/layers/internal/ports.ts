/** @internal */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { codeOf } from "../../internal/errno.ts"
import { isListened } from "./connect.ts"

/** Why a port cannot be had. */
export interface Problem {
  /** The address, for a person. */
  readonly path: string
  readonly code: string
  readonly problem: string
  readonly advice: string
}

/** A TCP port of loopback on which nobody listens just now. */
const free: Effect.Effect<number, string> = Effect.async((resume) => {
  const server = Net.createServer()
  server.once("error", (error) => resume(Effect.fail(codeOf(error))))
  server.listen({ host: "127.0.0.1", port: 0, exclusive: true }, () => {
    const bound = server.address()
    server.close(() =>
      resume(
        bound !== null && typeof bound === "object" ? Effect.succeed(bound.port) : Effect.fail("EADDRNOTAVAIL")
      )
    )
  })
  return Effect.sync(() => server.close())
})

/** The ports of loopback that runs have. */
export class Ports {
  // The kernel may offer a port again before the run it was given to has bound it.
  readonly #given = new Set<number>()

  /** This port, if nobody listens there, or one that is free. */
  take(port: number | "auto"): Effect.Effect<number, Problem> {
    return port === "auto" ? this.#takeAny : this.#takeOne(port)
  }

  /** An earlier supervisor gave it to a run. */
  adopt(port: number): void {
    this.#given.add(port)
  }

  release(port: number): void {
    this.#given.delete(port)
  }

  get #takeAny(): Effect.Effect<number, Problem> {
    return free.pipe(
      Effect.mapError((code): Problem => ({
        path: "127.0.0.1",
        code,
        problem: "there is no free port",
        advice: "Free some, or give the service a port."
      })),
      Effect.repeat({ while: (port) => this.#given.has(port) }),
      Effect.tap((port) => Effect.sync(() => this.adopt(port)))
    )
  }

  #takeOne(port: number): Effect.Effect<number, Problem> {
    return Effect.flatMap(isListened({ host: "127.0.0.1", port }), (listened) =>
      listened
        ? Effect.fail({
          path: `127.0.0.1:${port}`,
          code: "EADDRINUSE",
          problem: "another program listens on this port",
          advice: "Stop that program, choose another port, or write port = \"auto\"."
        })
        : Effect.succeed(port))
  }
}
