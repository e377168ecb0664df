/**
 * Where the configuration is.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { ConfigNotFound } from "./Errors.ts"

const usual = ["tenement.toml", "/etc/tenement/tenement.toml"]

/**
 * The file to load: the one that is named (by `--config`, else by `TENEMENT_CONFIG`), else the first that exists of
 * `./tenement.toml` and `/etc/tenement/tenement.toml`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const find = Effect.fn("Find.find")(function*(named: string | undefined) {
  if (named !== undefined && named !== "") return named
  const fs = yield* FileSystem.FileSystem
  for (const path of usual) {
    // One that may not be looked at is there: loading it says what is wrong.
    if (yield* Effect.orElseSucceed(fs.exists(path), () => true)) return path
  }
  return yield* new ConfigNotFound({ tried: usual })
})
