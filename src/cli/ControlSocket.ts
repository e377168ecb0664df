/**
 * Which supervisor a command means: the path of its control socket.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Host from "../config/Host.ts"
import type { Globals } from "./Session.ts"

/**
 * The file that should name the socket does not tell.
 *
 * @since 0.1.0
 * @category errors
 */
export class SocketUntold extends Schema.TaggedError<SocketUntold>()("SocketUntold", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.file} does not tell where the supervisor's socket is: ${this.problem}. ` +
      "`tenement config check` says more; --socket names the socket whatever the file says"
  }
}

const named = (text: string | undefined): string | undefined => text === "" ? undefined : text

/** The text of a file; nothing where there is none. */
const read = (file: string): Effect.Effect<Option.Option<string>, SocketUntold> =>
  Effect.suspend(() => {
    try {
      return Effect.succeedSome(Fs.readFileSync(file, "utf8"))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return code === "ENOENT" ? Effect.succeedNone : new SocketUntold({ file, problem: message })
    }
  })

const Settings = Schema.Struct({
  settings: Schema.optional(Schema.Struct({ socket: Schema.optional(Schema.String) }))
})

/**
 * What `[settings]` says of the socket. The rest of the file is not looked at: a mistake in a service must not keep
 * `ps` from telling how the others are.
 */
const fromFile = Effect.fnUntraced(function*(file: string, text: string) {
  if (!text.includes("socket")) return Option.none<string>()
  const { parse } = yield* Effect.promise(() => import("smol-toml"))
  const table = yield* Effect.try({
    try: () => parse(text),
    catch: () => new SocketUntold({ file, problem: "it is not valid TOML" })
  })
  const { settings } = yield* Effect.mapError(
    Schema.decodeUnknown(Settings)(table),
    () => new SocketUntold({ file, problem: "`socket` under [settings] is not a text" })
  )
  return Option.map(Option.fromNullable(settings?.socket), (socket) => Path.resolve(Path.dirname(file), socket))
})

/**
 * The socket that is named (by `--socket`, else by `TENEMENT_SOCKET`), else the one of the file that `serve` would read,
 * else the usual one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const locate = Effect.fn("ControlSocket.locate")(function*(
  globals: Pick<Globals, "config" | "socket">,
  env: Readonly<Record<string, string | undefined>> = process.env
) {
  const given = globals.socket ?? named(env["TENEMENT_SOCKET"])
  if (given !== undefined) return Path.resolve(given)
  const file = globals.config ?? named(env["TENEMENT_CONFIG"])
  for (const path of file === undefined ? ["tenement.toml", "/etc/tenement/tenement.toml"] : [file]) {
    const text = yield* read(path)
    if (Option.isNone(text)) {
      if (file === undefined) continue
      return yield* new SocketUntold({ file, problem: "there is no such file" })
    }
    const socket = yield* fromFile(path, text.value)
    return Option.getOrElse(socket, () => Host.controlSocket(Host.current(env)))
  }
  return Host.controlSocket(Host.current(env))
})
