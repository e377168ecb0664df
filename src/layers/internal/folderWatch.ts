/** @internal */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { codeOf } from "../../internal/errno.ts"

/**
 * Watches a folder for as long as the scope is open. What it gives waits for a change since it was waited for last. Where
 * a folder cannot be watched, nothing is ever told.
 */
export const watch = (folder: string): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function*() {
    let isNews = false
    let tell = () => {}
    const watcher = yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          Fs.watch(folder, { persistent: false }, () => {
            isNews = true
            tell()
          }),
        catch: codeOf
      }),
      (watcher) => Effect.sync(() => watcher.close())
    )
    watcher.on("error", () => watcher.close())
    return Effect.async<void>((resume) => {
      tell = () => {
        isNews = false
        tell = () => {}
        resume(Effect.void)
      }
      if (isNews) tell()
      return Effect.sync(() => {
        tell = () => {}
      })
    })
  }).pipe(
    Effect.catchAll((code) => Effect.as(Effect.logDebug(`${folder} cannot be watched (${code})`), Effect.never))
  )
