/** @internal */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"

/**
 * Another path of this folder, for as long as the scope lives. It is short however deep the folder lies, and a socket's
 * path must not be longer than 107 bytes.
 */
export const shortWay = <E>(
  folder: string,
  onFailure: (error: unknown) => E
): Effect.Effect<string, E, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => Fs.openSync(folder, Fs.constants.O_RDONLY | Fs.constants.O_DIRECTORY),
      catch: onFailure
    }),
    (fd) => Effect.sync(() => Fs.closeSync(fd))
  ).pipe(Effect.map((fd) => `/proc/self/fd/${fd}`))
