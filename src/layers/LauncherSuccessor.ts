/**
 * Starts the supervisor that is to take the place of this one.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import * as ChildProcess from "node:child_process"
import type * as Net from "node:net"
import { codeOf } from "../internal/errno.ts"
import * as Succession from "./internal/succession.ts"

/**
 * It did not get as far as it was to.
 *
 * @since 0.1.0
 * @category errors
 */
export class SuccessorFailed extends Schema.TaggedError<SuccessorFailed>()("SuccessorFailed", {
  reason: Schema.String
}) {
  override get message() {
    return this.reason
  }
}

/**
 * What it says when it is ready.
 *
 * @since 0.1.0
 * @category models
 */
export type Ready = Extract<Succession.FromSuccessor, { readonly _tag: "Ready" }>

/**
 * The other supervisor. It belongs to nobody's scope: it outlives this one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Successor {
  readonly pid: number
  readonly ready: Effect.Effect<Ready, SuccessorFailed>
  /** Everything has been given up, and is its own now. */
  readonly give: Effect.Effect<void>
  readonly inCharge: Effect.Effect<void, SuccessorFailed>
  /** Passes a connection on; what cannot be passed is closed. */
  readonly pass: (door: string, connection: Net.Socket) => void
  /** Waits until all that was passed has arrived. */
  readonly passed: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  readonly exited: Effect.Effect<void>
}

/**
 * How to start it, and the listening sockets that it inherits, by their names.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly command: readonly [string, ...ReadonlyArray<string>]
  readonly env: NodeJS.ProcessEnv
  readonly listeners: ReadonlyMap<string, number>
}

const decode = Schema.decodeUnknownEither(Succession.FromSuccessor)

const ending = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `exit code ${code}` : signal

/**
 * Starts it, in a session of its own, with this one's output and working folder.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (
  { command: [file, ...words], env, listeners }: Options
): Effect.Effect<Successor, SuccessorFailed> =>
  Effect.async((resume) => {
    const child = ChildProcess.spawn(file, words, {
      detached: true,
      env: { ...env, [Succession.variable]: [...listeners.keys()].join() },
      stdio: ["ignore", "inherit", "inherit", ...listeners.values(), "ipc"]
    })
    const ready = Deferred.unsafeMake<Ready, SuccessorFailed>(FiberId.none)
    const inCharge = Deferred.unsafeMake<void, SuccessorFailed>(FiberId.none)
    const exited = Deferred.unsafeMake<void>(FiberId.none)
    const fail = (reason: string) => {
      const failure = Exit.fail(new SuccessorFailed({ reason }))
      Deferred.unsafeDone(ready, failure)
      Deferred.unsafeDone(inCharge, failure)
    }
    child.on("message", (said: unknown) => {
      const message = decode(said)
      if (Either.isLeft(message)) return fail("the program that was started is no supervisor that can take over")
      switch (message.right._tag) {
        case "Ready":
          return Deferred.unsafeDone(ready, Exit.succeed(message.right))
        case "Failed":
          return fail(`the other one says: ${message.right.message}`)
        case "InCharge":
          return Deferred.unsafeDone(inCharge, Exit.void)
      }
    })
    child.once("exit", (code, signal) => {
      fail(`${[file, ...words].join(" ")} ended (${ending(code, signal)})`)
      Deferred.unsafeDone(exited, Exit.void)
    })
    // It may be gone when it is told something; its end tells so.
    child.on("error", () => undefined)
    const { pid } = child
    if (pid === undefined) {
      child.once("error", (error) =>
        resume(new SuccessorFailed({ reason: `${file} cannot be started (${codeOf(error)})` })))
      return
    }
    let underWay = 0
    let arrived: (() => void) | null = null
    const tell = (message: Succession.FromPredecessor) =>
      child.connected ? void child.send(message) : undefined
    resume(Effect.succeed({
      pid,
      ready: Deferred.await(ready),
      inCharge: Deferred.await(inCharge),
      exited: Deferred.await(exited),
      give: Effect.sync(() => tell({ _tag: "Yours" })),
      pass: (door, connection) => {
        if (connection.destroyed || !child.connected) return void connection.destroy()
        underWay++
        const message: Succession.FromPredecessor = { _tag: "Connection", door }
        child.send(message, connection, (error) => {
          if (error !== null) connection.destroy()
          if (--underWay === 0) arrived?.()
        })
      },
      passed: Effect.async<void>((resume) => {
        arrived = () => resume(Effect.void)
        if (underWay === 0) arrived()
      }),
      kill: Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")), Deferred.await(exited))
    }))
  })
