/**
 * Why an instance is in the state it is in: what `tenement why` says.
 *
 * @since 0.1.0
 */
import type { Cause } from "../../domain/Cause.ts"
import * as Explain from "../../domain/Explain.ts"
import type { Description, LogLine, StateLabel, Transition } from "../../domain/Views.ts"
import * as Duration from "./Duration.ts"
import * as Palette from "./Palette.ts"
import { listed, wrap } from "./Text.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly room: number | null
  readonly palette: Palette.Palette
}

const predicate: Readonly<Record<StateLabel, string>> = {
  starting: "is starting",
  running: "is running",
  healthy: "is healthy",
  degraded: "is degraded",
  unhealthy: "is unhealthy and being ended",
  backoff: "is waiting to be started again",
  stopping: "is being stopped",
  stopped: "is stopped",
  sleeping: "is asleep",
  completed: "has done its work",
  failed: "has failed and was given up"
}

/**
 * A cause, as what follows "because". Parts of it may come from a service: they are shown, not obeyed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const because = (cause: Cause): string =>
  cause._tag === "Boot"
    ? "the supervisor started, and the file lists it"
    : cause._tag === "Reload" && cause.keys.length === 0
    ? "a reload found it new in the file, or gone from it"
    : Palette.harmless(Explain.describeCause(cause)).replace(/\.$/, "")

/** Whether the chain ends here: somebody, or the file, wanted it so. */
const isRoot = (cause: Cause): boolean =>
  cause._tag === "Boot" || cause._tag === "Person" || cause._tag === "Reload" || cause._tag === "Shutdown"

/** How many steps of the chain are told; what is older is counted. */
const longest = 12

/** The newest step first, back to the last time that somebody, or the file, wanted something. */
const chain = (history: ReadonlyArray<Transition>): ReadonlyArray<Transition> => {
  const newest = [...history].toReversed()
  const root = newest.findIndex((step) => isRoot(step.cause))
  return root === -1 ? newest : newest.slice(0, root + 1)
}

const budget = ({ restart }: Description): string => {
  if (restart.maxRestarts === null) {
    return `${Explain.count(restart.inWindow, "automatic restart")} so far`
  }
  return `${restart.inWindow} of ${Explain.count(restart.maxRestarts, "automatic restart")} within ${
    Explain.duration(restart.windowSeconds * 1000)
  } ${restart.inWindow === 1 ? "is" : "are"} used up`
}

const ifItEnds = (it: Description): string => {
  switch (it.restart.policy) {
    case "always":
      return `If it ends, it is started again; ${budget(it)}.`
    case "never":
      return "If it ends, it is not started again: its restart policy is \"never\"."
    default:
      return `If it fails, it is started again; ${budget(it)}.`
  }
}

const backoff = (it: Description, now: number): string => {
  const { nextStartAt } = it.instance
  if (nextStartAt === null) {
    return it.group === null ? "It will be started again." : `The group ${it.group} decides when it is started again.`
  }
  const left = Date.parse(nextStartAt) - now
  const when = left > 0 ? `at ${Duration.clock(nextStartAt, now)}, in ${Explain.duration(left)}` : "now"
  return `It will be started again ${when}; ${budget(it)}.`
}

const next = (it: Description, now: number): string => {
  const cause = it.history.at(-1)?.cause
  switch (it.instance.state) {
    case "starting":
      return it.waitingFor.length > 0
        ? `It is started as soon as ${listed(it.waitingFor)} ${it.waitingFor.length === 1 ? "is" : "are"} ready.`
        : "If it is not ready in time, that counts as a failure."
    case "running":
    case "healthy":
      return ifItEnds(it)
    case "degraded":
      return `One check that passes makes it healthy again; more that fail make it unhealthy. ${ifItEnds(it)}`
    case "unhealthy":
      return `Once its process is gone, it is started again; ${budget(it)}.`
    case "backoff":
      return backoff(it, now)
    case "stopping":
      return cause?._tag === "Shutdown"
        ? "It ends with the supervisor, and runs again when the supervisor does."
        : it.wanted === "running"
        ? "It is started again once its process is gone, if its restart policy says so."
        : "It is stopped once its process is gone; a process that does not end in time is killed."
    case "stopped":
      return it.wanted === "running" && it.group !== null
        ? `The group ${it.group} starts it again.`
        : "Nothing, until somebody starts it."
    case "sleeping":
      return "The next request wakes it."
    case "completed":
      return `Nothing, until somebody starts it: it ended well, and its restart policy is "${it.restart.policy}".`
    case "failed":
      return "Nothing, until somebody starts it; a reload or a new supervisor does not."
  }
}

const advice = (it: Description): ReadonlyArray<string> => {
  const { name, state } = it.instance
  switch (state) {
    case "starting":
      return it.waitingFor.length > 0
        ? ["`tenement ps` shows how far those are that it waits for."]
        : [`\`tenement logs ${name} -f\` shows what it prints meanwhile.`]
    case "degraded":
    case "unhealthy":
      return [`\`tenement health ${name}\` checks it now; \`tenement logs ${name}\` shows what it printed.`]
    case "backoff":
      return [`\`tenement restart ${name}\` starts it at once; \`tenement stop ${name}\` ends the attempts.`]
    case "failed":
      return [
        `\`tenement logs ${name} -n 50\` shows what it printed. Mend the cause, then \`tenement start ${name}\`.`
      ]
    case "sleeping":
      return [`\`tenement start ${name}\` wakes it now; \`tenement stop ${name}\` keeps requests from waking it.`]
    case "stopped":
    case "completed":
      return [`\`tenement start ${name}\` starts it.`]
    default:
      return []
  }
}

/**
 * How one line that a service printed is shown among other text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const printed = (line: LogLine, palette: Palette.Palette): string =>
  `  ${line.stream === "stderr" ? palette.bad("!") : palette.faint("|")} ${Palette.harmless(line.text)}`

const sentence = (it: Description, options: Options): string => {
  const { instance } = it
  const { now, palette } = options
  const newest = it.history.at(-1)
  const state = Palette.ofState(palette, instance.state)(predicate[instance.state])
  if (newest === undefined) return `${palette.strong(instance.name)} ${state}; it was never started.`
  const time = Duration.clock(newest.at, now)
  const ago = Explain.duration(Math.max(0, now - Date.parse(newest.at)))
  const since = instance.state === "failed" || instance.state === "completed"
    ? `at ${time} (${ago} ago)`
    : `since ${time} (${ago})`
  return `${palette.strong(instance.name)} ${state} ${since}, because ${because(newest.cause)}.`
}

/** One step of the past. A state lasted until the step after it. */
const step = ({ at, cause, to }: Transition, until: Transition | undefined, options: Options): string => {
  const { now, palette, room } = options
  const lasted = until === undefined ? "" : `, for ${Explain.duration(Date.parse(until.at) - Date.parse(at))}`
  const told = `${Duration.clock(at, now)}  ${Palette.ofState(palette, to)(to)}${lasted}: ${because(cause)}`
  return wrap(`  ${told}`, room, "            ")
}

/**
 * The whole story, newest first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lines = (it: Description, options: Options): ReadonlyArray<string> => {
  const { now, palette, room } = options
  const steps = chain(it.history)
  const told = steps.slice(0, longest)
  const heading = (text: string) => ["", palette.strong(text)]
  const body = (text: string) => wrap(`  ${text}`, room, "  ")
  const story = told.slice(1).map((past, index) => step(past, told[index], options))
  return [
    wrap(sentence(it, options), room),
    ...(story.length === 0 ? [] : [...heading("Before that, newest first"), ...story]),
    ...(steps.length > told.length ? [`  and ${steps.length - told.length} more, see \`tenement describe\``] : []),
    ...(it.lastLines.length === 0
      ? []
      : [...heading("The last it printed"), ...it.lastLines.map((line) => printed(line, palette))]),
    ...heading("What happens next"),
    body(next(it, now)),
    ...advice(it).map(body)
  ]
}
