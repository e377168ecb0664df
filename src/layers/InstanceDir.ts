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
import { codeOf } from "../internal/errno.ts"
import * as Folder from "../internal/folder.ts"
import { FolderLeft, LaunchFailed } from "./Errors.ts"
import * as Accounts from "./internal/accounts.ts"

const pathOf = (settings: Settings, name: InstanceName): string => {
  const { id, service } = parts(name)
  return Places.instanceDir(settings, service, id)
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
    const owner = user === null && group === null ? null : Accounts.identify(user, group)
    if (owner !== null && "unknown" in owner) {
      return yield* new LaunchFailed({
        instance: name,
        code: "ENOENT",
        what: owner.unknown,
        advice: Accounts.advice
      })
    }
    yield* Effect.try({
      try: () => {
        if (!Fs.existsSync(dir)) {
          Fs.mkdirSync(Path.dirname(dir), { recursive: true, mode: 0o700 })
          Fs.mkdirSync(dir, { mode: 0o700 })
        }
        if (owner === null) return
        Folder.give(dir, owner)
        if (owner.uid === process.geteuid?.()) return
        for (const above of [settings.dataDir, Path.dirname(dir)]) Folder.letPass(above)
      },
      catch: (error) =>
        new LaunchFailed({
          instance: name,
          code: codeOf(error),
          what: error instanceof Folder.Untrusted
            ? `its folder ${dir} cannot be given to its user: ${error.message}`
            : `its folder ${dir} cannot be made`,
          advice: error instanceof Folder.Untrusted
            ? "Set data_dir in [settings] to a folder below which only root may write."
            : "Make sure that data_dir can be written to."
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
    catch: (error) => new FolderLeft({ path: pathOf(settings, name), code: codeOf(error) })
  })
)
