import type * as Effect from "effect/Effect"
import type { Progress } from "./progress.ts"
import type { StreamName } from "./record.ts"

/** Where the bytes of one instance come from. Nothing comes before it is known which run it is from. */
export interface Source {
  /** What it gives is done when what was said until now is heard; what is heard from then on was said by this run. */
  readonly begin: (incarnation: number) => Effect.Effect<Effect.Effect<void>>
  /** What was said until now is heard. */
  readonly drain: Effect.Effect<void>
  /** All that was heard is in the log, which has come this far. */
  readonly logged: (progress: Progress) => void
  /** Nobody reads on. */
  readonly close: () => void
  /** Another supervisor reads on. */
  readonly leave: () => void
}

/** Who hears it. */
export interface Sink {
  /**
   * A stream that has handed on a chunk hands on no more before all that was heard is `logged`. `chunk` is used again
   * afterwards.
   */
  readonly accept: (stream: StreamName, incarnation: number, chunk: Buffer) => void
}
