/** @internal */
import * as Effect from "effect/Effect"
import { send } from "../signal.ts"
import * as Folder from "./folder.ts"

const isPopulatedV2 = (path: string): boolean => Folder.valueOf(`${path}/cgroup.events`, "populated") === 1

/** Whether anything lives in a cgroup or in those within it. */
export const isPopulated = (version: 1 | 2, path: string): boolean =>
  version === 2 ? isPopulatedV2(path) : Folder.isOccupied(path)

/** How each version holds processes still. */
const freezers = {
  1: {
    file: "freezer.state",
    on: "FROZEN",
    off: "THAWED",
    isOn: (path: string) => Folder.read(`${path}/freezer.state`)?.trim() === "FROZEN"
  },
  2: {
    file: "cgroup.freeze",
    on: "1",
    off: "0",
    isOn: (path: string) => Folder.valueOf(`${path}/cgroup.events`, "frozen") === 1
  }
} as const

const isStill = (version: 1 | 2, path: string, tries: number): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    freezers[version].isOn(path)
      ? Effect.succeed(true)
      : tries === 0
      ? Effect.succeed(false)
      : Effect.zipRight(Effect.sleep(1), isStill(version, path, tries - 1))
  )

/** SIGKILL to each while none of them can fork; one that cannot be frozen in time is killed nevertheless. */
const killFrozen = (version: 1 | 2, path: string) =>
  Effect.gen(function*() {
    const { file, off, on } = freezers[version]
    if (Folder.write(`${path}/${file}`, on) === undefined) yield* isStill(version, path, 100)
    for (const pid of Folder.members(path)) send(pid, "SIGKILL")
    // Also what somebody else had frozen: a frozen process does not die.
    Folder.write(`${path}/${file}`, off)
  })

/** SIGKILL to all that lives in a cgroup and in those within it; does not wait until they are gone. */
export const kill = (version: 1 | 2, path: string): Effect.Effect<void> =>
  Effect.suspend(() =>
    version === 2 && Folder.write(`${path}/cgroup.kill`, "1") === undefined ? Effect.void : killFrozen(version, path)
  )

/** Kills, and looks again ever more seldom until all are gone or the time is over. */
export const clear = (version: 1 | 2, path: string, withinMs: number): Effect.Effect<boolean> => {
  const go = (delay: number, left: number): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      if (!isPopulated(version, path)) return Effect.succeed(true)
      if (left <= 0) return Effect.succeed(false)
      return kill(version, path).pipe(
        Effect.zipRight(Effect.sleep(delay)),
        Effect.zipRight(go(Math.min(delay * 2, 50), left - delay))
      )
    })
  return go(2, withinMs)
}
