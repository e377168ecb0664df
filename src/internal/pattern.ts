import * as Effect from "effect/Effect"
import * as vm from "node:vm"

/** How long a match may keep everything else waiting. Milliseconds of a clock on the wall: a busy machine is slow. */
const sliceMs = 25

/** For how many lines at once, and how often for the same line. */
const maxSlices = 40
const maxTries = 3

/** The pattern backtracks too much for these lines. */
export class PatternTooSlow {
  readonly _tag = "PatternTooSlow"
  readonly pattern: RegExp
  constructor(pattern: RegExp) {
    this.pattern = pattern
  }
}

// A script's deadline is the one thing that interrupts a match that has begun. What it calls is set before each run.
let job: () => unknown = () => undefined
let runJob: (() => unknown) | null = null

const prepare = (): () => unknown => {
  const script = new vm.Script("run()")
  const context = vm.createContext({ run: () => job() })
  return () => script.runInContext(context, { timeout: sliceMs })
}

// The error is of the script's own realm, where `Error` is another.
const isTimeout = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"

/** Runs for one slice at most. */
const interruptibly = (work: () => void): void => {
  job = work
  runJob ??= prepare()
  try {
    runJob()
  } catch (error) {
    if (!isTimeout(error)) throw error
  } finally {
    job = () => undefined
  }
}

/** Which of the texts the pattern matches. */
export const matches = Effect.fnUntraced(function*(pattern: RegExp, texts: ReadonlyArray<string>) {
  const result: Array<boolean> = []
  const goOn = () => {
    for (const text of texts.slice(result.length)) {
      pattern.lastIndex = 0
      result.push(pattern.test(text))
    }
  }
  let tries = 0
  for (let slices = 0; result.length < texts.length; slices++) {
    if (slices === maxSlices || tries === maxTries) return yield* Effect.fail(new PatternTooSlow(pattern))
    const before = result.length
    interruptibly(goOn)
    tries = result.length > before ? 0 : tries + 1
    if (result.length < texts.length) yield* Effect.yieldNow()
  }
  return result
})
