/**
 * The two places where the supervisor listens, and how they are opened so that nobody else comes in.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Http from "node:http"
import type * as Net from "node:net"
import * as Path from "node:path"
import { codeOf } from "../internal/errno.ts"
import * as Folder from "../internal/folder.ts"
import { shortWay } from "../internal/shortWay.ts"

/**
 * It is not possible to listen there.
 *
 * @since 0.1.0
 * @category errors
 */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  key: Schema.Literal("socket", "listen"),
  where: Schema.String,
  code: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `cannot listen on ${this.where}: ${this.problem} (${this.code}); ` +
      `end what is in the way, or change \`${this.key}\` in [settings]`
  }
}

const problems: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "there is no host of that name",
  EACCES: "this user may not",
  EROFS: "it lies on a read-only file system"
}

const failed = (key: "socket" | "listen", where: string) => (error: unknown) => {
  const code = codeOf(error)
  return new ListenFailed({
    key,
    where,
    code,
    problem: error instanceof Folder.Untrusted ? error.message : problems[code] ?? String(error)
  })
}

/** Node takes a descriptor, which its types do not say. */
type Place = Net.ListenOptions | { readonly fd: number }

const listen = (server: Net.Server, options: Place, explain: (error: unknown) => ListenFailed) =>
  Effect.async<void, ListenFailed>((resume) => {
    const onError = (error: Error) => resume(Effect.fail(explain(error)))
    server.once("error", onError)
    server.listen(options as Net.ListenOptions, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

const attempt = <A>(path: string, call: () => A) => Effect.try({ try: call, catch: failed("socket", path) })

/** Who listens on a socket: a supervisor tells its pid, anybody else is "another program"; `null` when nobody does. */
const holderOf = (path: string) =>
  Effect.async<string | null>((resume) => {
    const request = Http.get({ socketPath: path, path: "/health" }, (response) => {
      response.once("data", (chunk: Buffer) => {
        const [, pid] = /"pid":(\d+)/.exec(chunk.toString("latin1")) ?? []
        resume(Effect.succeed(pid === undefined ? stranger : `the supervisor with pid ${pid}`))
        request.destroy()
      })
      response.once("end", () => resume(Effect.succeed(stranger)))
    })
    request.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.succeed(error.code === "ECONNREFUSED" || error.code === "ENOENT" ? null : stranger)))
    return Effect.sync(() =>
      request.destroy()
    )
  }).pipe(
    Effect.timeoutTo({ duration: "1 second", onSuccess: (holder) => holder, onTimeout: () => stranger })
  )

const stranger = "another program"

/** Binds where nobody else can come and go, and moves the socket to its place when it has its permissions. */
const bind = (server: Net.Server, path: string) =>
  Effect.gen(function*() {
    const hidden = yield* Effect.acquireRelease(
      attempt(path, () => Fs.mkdtempSync(Path.join(Path.dirname(path), ".tenement-"))),
      (hidden) => Effect.sync(() => Fs.rmSync(hidden, { recursive: true, force: true }))
    )
    yield* attempt(path, () => Folder.assertClosed(hidden))
    const short = yield* shortWay(hidden, failed("socket", path))
    const name = Crypto.randomBytes(8).toString("hex")
    yield* listen(server, { path: `${short}/${name}` }, failed("socket", path))
    return yield* attempt(path, () => {
      Fs.chmodSync(Path.join(hidden, name), 0o600)
      Fs.renameSync(Path.join(hidden, name), path)
      return Fs.lstatSync(path)
    })
  }).pipe(Effect.scoped)

/**
 * Opens the control socket, or goes on with the one that an earlier supervisor has opened: mode 0600 from its first moment whatever the umask, in a folder that is made 0700 if there
 * is none. For root, the folder must be one where nobody else can exchange it. A socket that nobody listens on any more is replaced; anything else in its place is left alone. When the
 * scope closes the socket is taken away, if it is still ours; what this gives does so before.
 *
 * @since 0.1.0
 * @category constructors
 */
export const openSocket = Effect.fn("Listeners.openSocket")(function*(
  server: Net.Server,
  path: string,
  inherited: number | null = null
) {
  const { dev, ino } = inherited === null
    ? yield* openAnew(server, path)
    : yield* Effect.zipRight(
      listen(server, { fd: inherited }, failed("socket", path)),
      attempt(path, () => Fs.lstatSync(path))
    )
  const remove = Effect.sync(() => {
    const found = Fs.lstatSync(path, { throwIfNoEntry: false })
    if (found?.dev === dev && found.ino === ino) Fs.unlinkSync(path)
  })
  yield* Effect.addFinalizer(() => remove)
  return remove
})

const openAnew = Effect.fnUntraced(function*(server: Net.Server, path: string) {
  const place = yield* attempt(path, () => {
    Fs.mkdirSync(Path.dirname(path), { recursive: true, mode: 0o700 })
    const found = Fs.lstatSync(path, { throwIfNoEntry: false })
    return found === undefined ? "free" : found.isSocket() ? "socket" : "other"
  })
  if (place === "other") {
    return yield* new ListenFailed({
      key: "socket",
      where: path,
      problem: "there is something that is not a socket",
      code: "ENOTSOCK"
    })
  }
  const holder = place === "socket" ? yield* holderOf(path) : null
  if (holder !== null) {
    return yield* new ListenFailed({
      key: "socket",
      where: path,
      problem: `${holder} listens there`,
      code: "EADDRINUSE"
    })
  }
  return yield* bind(server, path)
})

/**
 * Listens on TCP: on the socket of an earlier supervisor, if this one has inherited it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const openTcp = Effect.fn("Listeners.openTcp")(
  function*(
    server: Net.Server,
    { host, port }: { readonly host: string; readonly port: number },
    inherited: number | null = null
  ) {
    yield* listen(server, inherited === null ? { host, port } : { fd: inherited }, failed("listen", `${host}:${port}`))
    const address = server.address()
    return { host, port: typeof address === "object" && address !== null ? address.port : port }
  }
)
