/** @internal */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ExitStatus } from "../../domain/Exit.ts"
import { unless } from "../../internal/errno.ts"
import type { Process } from "../Process.ts"
import * as Procfs from "./procfs.ts"
import type { Sessions } from "./sessions.ts"

const send = (pid: number, signal: NodeJS.Signals): void => {
  unless(["ESRCH"], () => process.kill(pid, signal))
}

/** The process so many generations below another, by the first child of each. */
const below = (pid: number | undefined, depth: number): number | undefined =>
  pid === undefined || depth === 0 ? pid : below(Procfs.firstChild(pid), depth - 1)

/**
 * The handle of a process that leads a session of its own. Its tree is that session: a process can leave it only by
 * beginning another one. A session's number is not given to another process while the session has a member; from the
 * first moment it is seen empty after the leader's end, it is never touched again. The program is `depth` generations
 * below the leader.
 */
export const make = (
  pid: number,
  exited: Deferred.Deferred<ExitStatus>,
  look: Effect.Effect<Sessions>,
  depth = 0
): Process => {
  const startTime = Procfs.stat(pid)?.startTime ?? ""
  let empty = false

  // Until Node has reaped the leader its pid is taken; the start time guards against what Node could not know.
  const leads = Effect.map(
    Deferred.isDone(exited),
    (done) => !done && Procfs.stat(pid)?.startTime === startTime
  )

  const survivors = Effect.suspend(() =>
    empty ? Effect.succeed<ReadonlyArray<Procfs.Stat>>([]) : Effect.map(look, (sessions) => {
      const members = sessions.get(pid) ?? []
      // The leader has been reaped: a process of this pid is somebody else's.
      if (members.length === 0 || members.some((member) => member.pid === pid)) empty = true
      return empty ? [] : members.filter(Procfs.isLive)
    })
  )

  const sweep = (delay: number): Effect.Effect<void> =>
    Effect.flatMap(survivors, (live) => {
      if (live.length === 0) return Effect.void
      // By group first: a group is signalled as a whole, even while a member forks.
      if (live.some((member) => member.group === pid)) send(-pid, "SIGKILL")
      for (const member of live) if (member.group !== pid) send(member.pid, "SIGKILL")
      return Effect.zipRight(Effect.sleep(delay), sweep(Math.min(delay * 2, 50)))
    })

  const vanish = (delay: number): Effect.Effect<void> =>
    Effect.flatMap(survivors, (live) =>
      live.length === 0
        ? Effect.void
        : Effect.zipRight(Effect.sleep(delay), vanish(Math.min(delay * 2, 100))))

  return {
    pid,
    programPid: Effect.sync(() => below(pid, depth) ?? null),
    startTime,
    exited: Deferred.await(exited),
    signal: (signal) =>
      Effect.map(leads, (yes) => {
        if (!yes) return
        // What would start the program is not asked but ended, if it has not done so yet. The parent passes signals on.
        const parent = depth === 0 || below(pid, depth) !== undefined ? below(pid, Math.max(0, depth - 1)) : undefined
        return parent === undefined ? send(-pid, "SIGKILL") : send(parent, signal)
      }),
    hasStragglers: Effect.flatMap(Deferred.isDone(exited), (done) =>
      done
        ? Effect.map(survivors, (live) => live.length > 0)
        : Effect.map(look, (sessions) =>
          (sessions.get(pid) ?? []).some((member) => member.pid !== pid && Procfs.isLive(member)))),
    signalTree: (signal) =>
      Effect.map(survivors, (live) => {
        for (const member of live) send(member.pid, signal)
      }),
    treeGone: vanish(5),
    killTree: Effect.gen(function*() {
      if (yield* leads) send(-pid, "SIGKILL")
      yield* Deferred.await(exited)
      yield* sweep(2)
    })
  }
}
