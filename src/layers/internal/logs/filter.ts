import * as Effect from "effect/Effect"
import type { InstanceName } from "../../../domain/Names.ts"
import type { LogLine } from "../../../domain/Views.ts"
import { literalOf } from "../../../internal/literal.ts"
import { matches, type PatternTooSlow } from "../../../internal/pattern.ts"
import { LogsFailed } from "../../Errors.ts"
import type { Find } from "./reader.ts"
import * as Record from "./record.ts"
import * as Records from "./records.ts"
import type { IoError } from "./segments.ts"

/** Which lines. `since` is a time as records have it, or empty; `incarnation` is `null` for all runs. */
export interface Filter {
  readonly tail: number | null
  readonly since: string
  readonly grep: RegExp | null
  readonly incarnation: number | null
}

export const explain = (instance: InstanceName, directory: string) => (error: IoError | PatternTooSlow): LogsFailed =>
  error._tag === "IoError"
    ? new LogsFailed({ instance, path: error.path, code: error.code, problem: "they cannot be read" })
    : new LogsFailed({
      instance,
      path: directory,
      code: "ETIMEDOUT",
      problem: `the pattern ${error.pattern} takes too long; one without nested repetition is quick`
    })

/** How much is read at once: many logs must not take more memory than one, and most of what is searched is not kept. */
export const chunkFor = (logs: number, { grep }: Filter): number =>
  Math.max(
    2 * Record.maxRecord,
    Math.min(grep === null ? 128 * 1024 : 1024 * 1024, Math.floor(8 * 1024 * 1024 / Math.max(1, logs)))
  )

/** Finds what a filter wants. Lines in which the pattern's own text is missing are not even decoded. */
export const finder = ({ grep, incarnation, since }: Filter): Find => {
  const literal = grep === null ? null : literalOf(grep)
  const needle = literal === null ? null : Buffer.from(literal)
  const isWanted = ({ record }: Records.Located) =>
    record.at >= since && (incarnation === null || record.incarnation === incarnation)
  return Effect.fnUntraced(function*(bytes, base) {
    const found = (needle === null ? Records.told(bytes, base) : Records.toldWith(needle, bytes, base)).filter(isWanted)
    if (grep === null || found.length === 0) return found
    const matching = yield* matches(grep, found.map(({ record }) => record.text.toString("utf8")))
    return found.filter((_, index) => matching[index] === true)
  })
}

/** Stands for lines that a reader should have had before this one, and that were gone before it came to them. */
export const gap = (instance: InstanceName, before: Record.LogRecord, lost: number): LogLine => ({
  seq: Record.firstSeq(before) - 1,
  at: before.at,
  instance,
  stream: "stderr",
  incarnation: before.incarnation,
  text: Record.remark(lost, "were rotated away before they were read"),
  truncated: false,
  lost
})
