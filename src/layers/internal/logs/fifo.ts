import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fs from "node:fs"
import type { ToolFailed } from "../../Errors.ts"
import * as LauncherExec from "../../LauncherExec.ts"

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = Fs.constants

/** Where an instance's FIFOs are. */
export const pathsOf = (directory: string) => ({ stdout: `${directory}/stdout`, stderr: `${directory}/stderr` })

/** An argument list may be 2 MiB, and some of it is the environment. */
const batchSize = 1000

// Others may write: a program that opens /dev/stdout again reaches its FIFO through its own descriptor and is asked for
// nothing else. By path nobody gets to it: the folder is closed.
const mode = "622"

/**
 * Makes FIFOs. Node has no call for it, and a process for each would be what a start of many instances spends its time
 * with: those asked for while one runs are made together by the next.
 */
export const makeMaker = (): (paths: ReadonlyArray<string>) => Effect.Effect<void, ToolFailed> => {
  let waiting: Array<{ readonly path: string; readonly made: Deferred.Deferred<void, ToolFailed> }> = []
  let busy = false
  const makeAll = Effect.gen(function*() {
    busy = true
    // Who is first in a tick waits for the others of that tick.
    yield* Effect.yieldNow()
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchSize)
      waiting = waiting.slice(batchSize)
      const exit = yield* Effect.exit(LauncherExec.exec("mkfifo", "-m", mode, ...batch.map(({ path }) => path)))
      // One that cannot be made does not keep mkfifo from making the others: each is looked for by itself.
      for (const { made, path } of batch) {
        yield* Deferred.done(made, Exit.isSuccess(exit) || Fs.existsSync(path) ? Exit.void : Exit.asVoid(exit))
      }
    }
    busy = false
  })
  return Effect.fnUntraced(function*(paths) {
    const made: Array<Deferred.Deferred<void, ToolFailed>> = []
    for (const path of paths) {
      const one = yield* Deferred.make<void, ToolFailed>()
      waiting.push({ path, made: one })
      made.push(one)
    }
    if (!busy) yield* Effect.uninterruptible(makeAll)
    yield* Effect.forEach(made, Deferred.await, { discard: true })
  })
}

/** What is opened for reading is opened for writing as well, so that the end of a writer is no end of file. */
export const openForReading = (path: string): number => open(path, O_RDWR | O_NONBLOCK)

/** The process holds its own reading end: without a supervisor it has no broken pipe, and loses nothing. */
export const openForProcess = (path: string): number => open(path, O_RDWR)

/** Nothing else may be in their place. */
export const check = (paths: ReadonlyArray<string>): void => {
  for (const path of paths) if (!Fs.lstatSync(path).isFIFO()) throw noFifo(path)
}

const noFifo = (path: string) => Object.assign(new Error(`${path} is no FIFO`), { code: "EEXIST" })

const open = (path: string, flags: number): number => {
  const fd = Fs.openSync(path, flags | O_NOFOLLOW)
  if (Fs.fstatSync(fd).isFIFO()) return fd
  Fs.closeSync(fd)
  throw noFifo(path)
}
