/**
 * The memory that V8 keeps for the supervisor.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as V8 from "node:v8"
import * as Vm from "node:vm"

// Pages that one collection empties are given back by the next. Where one takes long, V8 is left to do the rest by itself.
const collections = 3
const patienceMs = 100

/**
 * Gives back to the machine what a burst of work has left behind, some 10 MB after the start of a hundred services. V8
 * does so by itself, but ten seconds later and for three times the work. It stops everything for some 50 ms: for a
 * moment in which nothing is going on.
 *
 * @since 0.1.0
 * @category combinators
 */
export const trim: Effect.Effect<void> = Effect.sync(() => {
  V8.setFlagsFromString("--expose-gc")
  const collect: unknown = Vm.runInNewContext("gc")
  V8.setFlagsFromString("--no-expose-gc")
  if (typeof collect !== "function") return
  const begun = performance.now()
  for (let n = 0; n < collections && performance.now() - begun < patienceMs; n++) collect()
})
