/**
 * What a run of many lives has to have reached at least once. A rule that was never put to the test was not kept.
 */

/** So many lives are a night's. */
export const nightly = 10_000

const states = ["stopped", "starting", "running", "healthy", "stopping", "backoff", "completed", "failed"]

/** In some hundred lives. */
const often: ReadonlyArray<string> = [
  "given up because of IntensityExceeded",
  "given up because of GroupGaveUp",
  "the longest delay",
  "stop while running",
  "stop while starting",
  "stop while backoff",
  "a mailbox is full",
  "a change is refused for a disk that cannot be written",
  "an actor has a defect",
  "an end for memory",
  "an orphan is brought to its end",
  "a start that fails in a round of the group",
  "a round of the group has a member starting",
  "a round of the group has a member stopping",
  "the supervisor is killed while something is stopping",
  "the supervisor is killed between a launch and its being written down",
  "the supervisor is killed in the middle of its end",
  "the power goes while the disk is written",
  "what a launch had left is found",
  "the process stands still",
  "the wall clock is set"
]

/** Both can be first. */
const races: ReadonlyArray<readonly [string, string]> = [
  ["Exited", "Person"],
  ["Ready", "Person"],
  ["Exited", "Shutdown"]
]

/** In a night. */
const seldom: ReadonlyArray<string> = [
  ...states.map((state) => `stop while ${state}`),
  ...states.map((state) => `the supervisor is killed while something is ${state}`),
  ...["start", "stop", "restart", "spawn", "remove", "reload"].map((verb) =>
    `the supervisor is killed in the middle of a ${verb}`
  ),
  "the backoff begins anew",
  "the supervisor is killed in the middle of its start",
  "stop while degraded",
  "stop while unhealthy",
  "the supervisor is killed while the disk is written",
  "the longest delay, with jitter",
  "sleeping to starting",
  "sleeping to stopped",
  "stop while sleeping",
  "restart while sleeping",
  "a request while sleeping",
  "a request while stopped",
  "the supervisor is killed while something is sleeping",
  "the power goes while something is sleeping",
  "given up because of BackoffExhausted",
  "because of StartupTimeout",
  "because of ProbePassed",
  "degraded to unhealthy",
  "a damaged file is read",
  "the file is stale",
  "the file is torn",
  "an actor goes before it has answered",
  "an end at the moment of a failed probe, which was heard first",
  "an end at the moment of a failed probe, and was heard first",
  ...races.flatMap(([one, other]) => [`at one moment ${one} before ${other}`, `at one moment ${other} before ${one}`])
]

/** What is not among what was reached. */
export const never = (reached: { readonly has: (what: string) => boolean }, size: "quick" | "nightly") =>
  (size === "quick" ? often : [...new Set([...often, ...seldom])]).filter((what) => !reached.has(what))
