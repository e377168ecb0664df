/**
 * Whether what clients of one instance were told can have happened one after the other: each call takes effect at one
 * moment between its beginning and its end, and every answer is right for the state at that moment.
 */
export type State = "absent" | "stopped" | "running"
export type Verb = "spawn" | "start" | "stop" | "restart" | "rm"

export interface Call {
  readonly verb: Verb
  readonly from: number
  readonly to: number
  readonly status: number
}

/** The states that a call which was answered like this can have led to, from a given one; none if it cannot be. */
const step = (state: State, { status, verb }: Call, joins: boolean): ReadonlyArray<State> => {
  // Refused before it did anything.
  if (status === 429) return [state]
  if (joins && state === "absent") return [state]
  if (status === 404) return verb !== "spawn" && state === "absent" ? [state] : []
  if (verb !== "spawn" && state === "absent") return []
  // Something overtook it: it began, and what came of it depends on the other.
  if (status === 409) return verb === "stop" || verb === "rm" ? ["stopped", state] : ["running", state]
  switch (verb) {
    case "rm":
      return status < 300 ? ["absent"] : []
    case "stop":
      return status < 300 ? ["stopped"] : []
    default:
      return status < 300 ? ["running"] : []
  }
}

/** Whether a removal ran beside another: then both may be told that it is gone, which is what both asked for. */
const joinsAnother = (calls: ReadonlyArray<Call>, call: Call): boolean =>
  isRemoval(call) &&
  calls.some((other) => other !== call && isRemoval(other) && other.from <= call.to && call.from <= other.to)

const isRemoval = ({ status, verb }: Call) => verb === "rm" && status < 300

/** Searches for an order (Wing and Gong), remembering what it has tried. `last` is the state seen at the end. */
export const isLinearizable = (calls: ReadonlyArray<Call>, first: State, last: State): boolean => {
  const tried = new Set<string>()
  const joins = calls.map((call) => joinsAnother(calls, call))
  const search = (left: ReadonlyArray<number>, state: State): boolean => {
    if (left.length === 0) return state === last
    const key = `${left.join(",")} ${state}`
    if (tried.has(key)) return false
    tried.add(key)
    // Only what began before anything else that is left was over can be next.
    const limit = Math.min(...left.map((index) => calls[index]!.to))
    return left.some((index) =>
      calls[index]!.from <= limit &&
      step(state, calls[index]!, joins[index]!).some((next) => search(left.filter((other) => other !== index), next))
    )
  }
  return search(calls.map((_, index) => index), first)
}
