/** Configurations from files that exist only in memory. */
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "node:path"
import type { Host } from "../../src/config/Host.ts"
import { load } from "../../src/config/Load.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import type { ConfigInvalid, ConfigIssue } from "../../src/domain/Errors.ts"

type Files = Readonly<Record<string, string>>

const info = (size: number): FileSystem.File.Info => ({
  type: "File",
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0,
  ino: Option.none(),
  mode: 0o644,
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  size: FileSystem.Size(size),
  blksize: Option.none(),
  blocks: Option.none()
})

const notFound = (path: string) =>
  new SystemError({ reason: "NotFound", module: "FileSystem", method: "stat", pathOrDescriptor: path })

/** A disk with these files, by absolute path. */
export const disk = (files: Files): Layer.Layer<FileSystem.FileSystem> => {
  const get = (path: string) =>
    Object.hasOwn(files, Path.resolve(path)) ? Effect.succeed(files[Path.resolve(path)]!) : Effect.fail(notFound(path))
  return FileSystem.layerNoop({
    stat: (path) => Effect.map(get(path), (text) => info(text.length)),
    exists: (path) => Effect.succeed(Object.hasOwn(files, Path.resolve(path))),
    realPath: (path) => Effect.succeed(Path.resolve(path)),
    readFile: (path) => Effect.map(get(path), (text) => new TextEncoder().encode(text)),
    readDirectory: (path) => {
      const names = Object.keys(files).filter((file) => Path.dirname(file) === Path.resolve(path)).map((file) =>
        Path.basename(file)
      )
      return names.length === 0 ? Effect.fail(notFound(path)) : Effect.succeed(names)
    }
  })
}

export const root: Host = { uid: 0, cores: 2, stateHome: "/root/.local/state", runtimeDir: "/run/user/0" }

/** Loads `/srv/tenement.toml` from a disk of its own. Anything but a configuration or a `ConfigInvalid` is a defect. */
export const loading = (files: Files, host: Host = root): Effect.Effect<TenementConfig, ConfigInvalid> =>
  Effect.provide(load("/srv/tenement.toml", { host }), disk(files))

/** What comes of a file. */
export const outcome = (text: string, more: Files = {}): Effect.Effect<Either.Either<TenementConfig, ConfigInvalid>> =>
  Effect.either(loading({ "/srv/tenement.toml": text, ...more }))

/** What is wrong with a file, as `line:column key: message`. */
export const complaints = (text: string, more: Files = {}): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    outcome(text, more),
    (result) =>
      Either.isRight(result) ? [] : result.left.issues.map((issue) => `${place(issue)} ${issue.key}: ${issue.message}`)
  )

const place = ({ column, file, line }: ConfigIssue): string =>
  file === "/srv/tenement.toml" ? `${line}:${column}` : `${file}:${line}:${column}`
