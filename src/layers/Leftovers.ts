/**
 * Files that runs have besides their sockets, for the case that who made them is not there to take them away.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Settings } from "../domain/Config.ts"
import type { InstanceName } from "../domain/Names.ts"
import { unless } from "../internal/errno.ts"
import * as Enclosure from "./internal/isolation/enclosure.ts"

/** A run, as far as its files are named after it. */
interface Named {
  readonly instance: InstanceName
  readonly incarnation: number
}

const removeWhere = (settings: Settings, isLeft: (file: string) => boolean) =>
  Effect.sync(() => {
    const folder = Enclosure.folderOf(settings)
    for (const file of unless(["ENOENT"], () => Fs.readdirSync(folder)) ?? []) {
      if (isLeft(file)) Fs.rmSync(Path.join(folder, file), { recursive: true, force: true })
    }
  })

const belongsTo = ({ incarnation, instance }: Named) => {
  const prefix = `${Enclosure.prefixOf(instance, incarnation)}.`
  return (file: string) => file.startsWith(prefix)
}

/**
 * Takes away what the isolation of one run has left.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofRun = (settings: Settings, instance: InstanceName, incarnation: number): Effect.Effect<void> =>
  removeWhere(settings, belongsTo({ instance, incarnation }))

/**
 * Takes away what the isolation of all other runs has left.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sweep = (settings: Settings, runs: ReadonlyArray<Named>): Effect.Effect<void> => {
  const kept = runs.map(belongsTo)
  return removeWhere(settings, (file) => Enclosure.isOfRun(file) && !kept.some((belongs) => belongs(file)))
}
