import * as Effect from "effect/Effect"
import * as vm from "node:vm"

/** How long one page of lines may keep everything else waiting. A plain pattern needs less than a tenth of it. */
const budgetMs = 50

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
let timed: ((timeout: number) => unknown) | null = null

const withDeadline = (timeout: number): unknown => {
  if (timed === null) {
    const script = new vm.Script("run()")
    const context = vm.createContext({ run: () => job() })
    timed = (timeout) => script.runInContext(context, { timeout })
  }
  return timed(timeout)
}

// The error is of the script's own realm, where `Error` is another.
const isTimeout = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"

/** Which of the texts the pattern matches. */
export const matches = (
  pattern: RegExp,
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<boolean>, PatternTooSlow> =>
  Effect.suspend(() => {
    const result: Array<boolean> = []
    job = () => {
      for (const text of texts) {
        pattern.lastIndex = 0
        result.push(pattern.test(text))
      }
    }
    try {
      withDeadline(budgetMs)
    } catch (error) {
      if (isTimeout(error)) return Effect.fail(new PatternTooSlow(pattern))
      throw error
    } finally {
      job = () => undefined
    }
    return Effect.succeed(result)
  })
