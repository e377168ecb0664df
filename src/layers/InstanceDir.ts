/**
 * The folder that belongs to an instance, `{data_dir}/{service}/{id}`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import { LaunchFailed } from "./Errors.ts"
import { identify } from "./internal/accounts.ts"
import { codeOf } from "./internal/errno.ts"

const pathOf = (settings: Settings, name: InstanceName): string => {
  const { id, service } = parts(name)
  return Places.instanceDir(settings, service, id)
}

/** The first folder above a path that a user cannot pass through. */
const closedTo = (uid: number, path: string): string | undefined => {
  for (let folder = Path.dirname(path); folder !== Path.dirname(folder); folder = Path.dirname(folder)) {
    const stat = Fs.statSync(folder, { throwIfNoEntry: false })
    if (stat !== undefined && uid !== 0 && stat.uid !== uid && (stat.mode & 0o001) === 0) return folder
  }
  return undefined
}

/**
 * Makes it, if need be: 0700 and the run's user's own. Where that user is not the supervisor's, the folders above it
 * can be passed through and not listed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("InstanceDir.make")(
  function*(settings: Settings, name: InstanceName, { group, user }: Pick<ServiceConfig, "user" | "group">) {
    const dir = pathOf(settings, name)
    const owner = user === null && group === null ? null : identify(user, group)
    if (owner !== null && "unknown" in owner) {
      return yield* new LaunchFailed({
        instance: name,
        code: "ENOENT",
        what: `there is no ${owner.unknown}`,
        advice: "Create the account or correct `user` and `group`."
      })
    }
    const closed = owner === null ? undefined : closedTo(owner.uid, settings.runDir)
    if (closed !== undefined) {
      return yield* new LaunchFailed({
        instance: name,
        code: "EACCES",
        what: `its user cannot enter ${closed}, and its socket is below it`,
        advice: "Set run_dir in [settings] to a folder that others can enter."
      })
    }
    yield* Effect.try({
      try: () => {
        if (!Fs.existsSync(dir)) {
          Fs.mkdirSync(Path.dirname(dir), { recursive: true, mode: 0o700 })
          Fs.mkdirSync(dir, { mode: 0o700 })
        }
        if (owner === null) return
        for (const above of [settings.dataDir, Path.dirname(dir)]) {
          const mode = Fs.statSync(above).mode & 0o777
          if ((mode & 0o011) !== 0o011) Fs.chmodSync(above, mode | 0o011)
        }
        // Its parent is ours, so what is found here is the folder itself; lchown follows nothing even so.
        const stat = Fs.lstatSync(dir)
        if (stat.uid !== owner.uid || stat.gid !== owner.gid) Fs.lchownSync(dir, owner.uid, owner.gid)
      },
      catch: (error) =>
        new LaunchFailed({
          instance: name,
          code: codeOf(error),
          what: `its folder ${dir} cannot be made`,
          advice: "Make sure that data_dir can be written to."
        })
    })
  }
)

/**
 * Deletes it and all that is in it. Links in it are removed, never followed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = Effect.fn("InstanceDir.remove")((settings: Settings, name: InstanceName) =>
  Effect.tryPromise({
    try: () => Fs.promises.rm(pathOf(settings, name), { recursive: true, force: true, maxRetries: 3 }),
    catch: (error) =>
      new LaunchFailed({
        instance: name,
        code: codeOf(error),
        what: `its folder ${pathOf(settings, name)} cannot be deleted`,
        advice: "Look at what is in it and delete it by hand."
      })
  })
)
