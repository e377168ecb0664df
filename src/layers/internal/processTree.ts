/** @internal */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import type { ExitStatus } from "../../domain/Exit.ts"
import { unless } from "../../internal/errno.ts"
import type { Cgroup } from "../Cgroup.ts"
import * as LauncherExec from "../LauncherExec.ts"
import type { Identity, Process, Wrapper } from "../Process.ts"
import * as Report from "./isolation/report.ts"
import * as Procfs from "./procfs.ts"
import type { Sessions } from "./sessions.ts"
import { send } from "./signal.ts"

/** What a process forked, with itself for as long as it is there. */
export interface Tree {
  readonly isEmpty: Effect.Effect<boolean>
  readonly living: Effect.Effect<ReadonlyArray<Procfs.Stat>>
  /** SIGKILL to what `isEmpty` has seen. */
  readonly kill: Effect.Effect<void>
}

const statsOf = (pids: ReadonlyArray<number>): ReadonlyArray<Procfs.Stat> =>
  pids.flatMap((pid) => Procfs.stat(pid) ?? []).filter(Procfs.isLive)

/** The tree of a process that is in a cgroup of its own: nothing leaves it, and after the leader's end nobody enters. */
export const inCgroup = ({ isPopulated, kill, members }: Cgroup, exited: Deferred.Deferred<ExitStatus>): Tree => {
  let isOver = false
  return {
    isEmpty: Effect.suspend(() =>
      isOver ? Effect.succeed(true) : Effect.zipWith(isPopulated, Deferred.isDone(exited), (populated, done) => {
        isOver = done && !populated
        return !populated
      })
    ),
    living: Effect.map(members, statsOf),
    kill: Effect.suspend(() => isOver ? Effect.void : kill)
  }
}

/** The process so many generations below another, by the first child of each. */
const below = (pid: number | undefined, depth: number): number | undefined =>
  pid === undefined || depth === 0 ? pid : below(Procfs.firstChild(pid), depth - 1)

/**
 * The tree of a process that leads a session: a process can leave it only by beginning another one. A session's number
 * is not given to another process while the session has a member; once it is seen empty after the leader's end, it is
 * never touched again.
 */
export const inSession = (
  pid: number,
  exited: Deferred.Deferred<ExitStatus>,
  look: Effect.Effect<Sessions>
): Tree => {
  let isOver = false
  let seen: ReadonlyArray<Procfs.Stat> = []

  const living = Effect.suspend(() =>
    isOver ? Effect.succeed([]) : Effect.zipWith(look, Deferred.isDone(exited), (sessions, done) => {
      const members = sessions.get(pid) ?? []
      // The leader has been reaped: a process of this pid is somebody else's.
      if (done && members.some((member) => member.pid === pid)) isOver = true
      return isOver ? [] : members.filter(Procfs.isLive)
    })
  )

  return {
    living,
    isEmpty: Effect.gen(function*() {
      seen = yield* living
      // A child that was forked while /proc was read may have been missed, but its parent was not.
      if (seen.length === 0 && !isOver) seen = yield* living
      if (seen.length > 0) return false
      isOver = yield* Deferred.isDone(exited)
      return true
    }),
    kill: Effect.sync(() => {
      // By group first: a group is signalled as a whole, even while a member forks.
      if (seen.some((member) => member.group === pid)) send(-pid, "SIGKILL")
      for (const member of seen) if (member.group !== pid) send(member.pid, "SIGKILL")
    })
  }
}

/** Whether a process has this word in the environment that it was started with. */
const isToldOf = (word: string) => ({ pid }: Procfs.Stat): boolean =>
  unless(["ENOENT", "ESRCH", "EACCES"], () => Fs.readFileSync(`/proc/${pid}/environ`))?.includes(word) ?? false

/**
 * The tree of a process that leads a session and is no child of ours. Its number may have been given to another session
 * since; so once the process itself is gone, a member is what has `word` in its environment.
 */
export const inForeignSession = (
  { pid, startTime }: Identity,
  word: string,
  exited: Deferred.Deferred<ExitStatus>,
  look: Effect.Effect<Sessions>
): Tree => {
  const isOurs = isToldOf(word)
  return inSession(
    pid,
    exited,
    Effect.map(look, (sessions) => {
      const members = sessions.get(pid) ?? []
      const isLed = members.some((member) => member.pid === pid && member.startTime === startTime)
      return new Map([[pid, isLed ? members : members.filter(isOurs)]])
    })
  )
}

/** The handle of a process. */
export const make = (
  pid: number,
  exited: Deferred.Deferred<ExitStatus>,
  tree: Tree,
  wrapper?: Wrapper,
  startTime = Procfs.stat(pid)?.startTime ?? ""
): Process => {
  const depth = wrapper?.depth ?? 0
  const program = (): number | undefined =>
    wrapper === undefined || Report.hasBegun(wrapper.report) ? below(pid, depth) : undefined

  // Until Node has reaped the leader its pid is taken; the start time guards against what Node could not know.
  const leads = Effect.map(
    Deferred.isDone(exited),
    (done) => !done && Procfs.stat(pid)?.startTime === startTime
  )

  /** Ever more seldom, and for as long as it takes: who waits for it says for how long he does. */
  const sweep = (delay: number): Effect.Effect<void> =>
    Effect.flatMap(tree.isEmpty, (isEmpty) =>
      isEmpty
        ? Effect.void
        : tree.kill.pipe(
          Effect.zipRight(Effect.sleep(delay)),
          Effect.zipRight(Effect.suspend(() => sweep(Math.min(delay * 2, delay < 50 ? 50 : 1000))))
        ))

  const vanish = (delay: number): Effect.Effect<void> =>
    Effect.flatMap(tree.isEmpty, (isEmpty) =>
      isEmpty
        ? Effect.void
        : Effect.zipRight(Effect.sleep(delay), Effect.suspend(() => vanish(Math.min(delay * 2, 100)))))

  return {
    pid,
    programPid: Effect.sync(() => program() ?? null),
    startTime,
    exited: Deferred.await(exited),
    signal: (signal) =>
      Effect.flatMap(leads, (yes) => {
        if (!yes) return Effect.void
        // What would start the program is not asked but ended, if it has not done so yet.
        if (program() === undefined) return Effect.sync(() => send(-pid, "SIGKILL"))
        if (wrapper?.signal !== undefined) {
          // It may have ended meanwhile; and a stop that is not heard has its deadline.
          const [program, ...words] = wrapper.signal
          return LauncherExec.exec(program, ...words, String(Os.constants.signals[signal])).pipe(
            Effect.catchAll((error) => Effect.logDebug(error.message))
          )
        }
        // The parent passes it on.
        return Effect.sync(() => send(below(pid, Math.max(0, depth - 1)) ?? pid, signal))
      }),
    hasStragglers: Effect.flatMap(Deferred.isDone(exited), (done) =>
      done
        ? Effect.map(tree.isEmpty, (isEmpty) => !isEmpty)
        : Effect.map(tree.living, (living) => living.some((member) => member.pid !== pid))),
    signalTree: (signal) =>
      Effect.map(tree.living, (living) => {
        for (const member of living) send(member.pid, signal)
      }),
    treeGone: vanish(5),
    killTree: Effect.gen(function*() {
      if (yield* leads) send(-pid, "SIGKILL")
      yield* tree.kill
      yield* Deferred.await(exited)
      yield* sweep(2)
    }),
    survivors: Effect.map(tree.living, (living) =>
      living.map((member) => ({
        pid: member.pid,
        state: member.state,
        isPermitted: send(member.pid, 0) !== "denied"
      })))
  }
}
