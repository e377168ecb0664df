/**
 * Public and private socket paths, and free ports.
 *
 * The public path is a symlink that tenement switches atomically to the private path of the run that serves; a program
 * that binds the public path itself is left alone.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { InstanceName } from "../domain/Names.ts"
import { codeOf, unless } from "../internal/errno.ts"
import * as Folder from "../internal/folder.ts"
import type { Endpoint } from "./Endpoint.ts"
import { SocketUnusable } from "./Errors.ts"
import * as Accounts from "./internal/accounts.ts"
import * as BoundSocket from "./internal/boundSocket.ts"
import { isListened } from "./internal/connect.ts"
import { type Held, HeldSockets } from "./internal/heldSockets.ts"
import { Ports } from "./internal/ports.ts"
import * as PrivatePath from "./internal/privatePath.ts"
import * as PublicPath from "./internal/publicPath.ts"
import * as SocketFile from "./internal/socketFile.ts"
import * as LauncherListen from "./LauncherListen.ts"

/**
 * @since 0.1.0
 * @category tags
 */
export class Sockets extends Context.Tag("tenement/layers/Sockets")<Sockets, {
  /**
   * Gives one incarnation its endpoint: a fresh private path (nothing there yet, in a folder that the run's user may
   * write), the public path free of what an earlier run left, a free loopback port if `port` is `"auto"`. Refuses a
   * public path where another program listens or that is not a socket.
   */
  readonly prepare: (options: {
    readonly instance: InstanceName
    readonly incarnation: number
    readonly publicPath: string
    readonly port: number | "auto" | null
    readonly user: string | null
    readonly group: string | null
    /** Whether it is going to be listened on here: what the instance has kept of the run before is given again then. */
    readonly held: boolean
  }) => Effect.Effect<Endpoint, SocketUnusable>
  /**
   * Listens for the run, at its port if it has one, at its private path otherwise; what it gives is the descriptor to hand
   * over. Nothing is accepted here.
   */
  readonly listen: (options: {
    readonly instance: InstanceName
    readonly endpoint: Endpoint
  }) => Effect.Effect<number, SocketUnusable>
  /**
   * The run is ready: the public path leads to it from now on, and the socket gets its permission bits (`mode`),
   * without following a link that the instance could have put there.
   */
  readonly publish: (options: {
    readonly instance: InstanceName
    readonly endpoint: Endpoint
    readonly mode: number
  }) => Effect.Effect<void, SocketUnusable>
  /** The public path leads to this run no longer, if it did. */
  readonly withdraw: (endpoint: Endpoint) => Effect.Effect<void>
  /** Whether the public path leads to this run, as it does once it is published. */
  readonly leads: (endpoint: Endpoint) => Effect.Effect<boolean>
  /** The endpoint of a run that an earlier supervisor started is this one's from now on. */
  readonly adopt: (endpoint: Endpoint) => Effect.Effect<void>
  /** Takes away private sockets that are no run's and on which nobody listens. For after all adoptions. */
  readonly sweep: Effect.Effect<void>
  /**
   * Takes away what `prepare` and `publish` made for this run, and only that. Where it was listened on here, and no other
   * run of the instance is, all of it stays for the next.
   */
  readonly retire: (endpoint: Endpoint) => Effect.Effect<void>
  /** No run of the instance is to follow: what has stayed goes. */
  readonly release: (instance: InstanceName) => Effect.Effect<void>
}>() {}

const unusable = (instance: InstanceName, path: string, code: string, problem: string, advice: string) =>
  new SocketUnusable({ instance, path, code, problem, advice })

/** More than this many programs listening where one run was to listen is no accident. */
const mostTaken = 100

/** What the file system refuses becomes a `SocketUnusable` of this path. */
const touch = <A>(instance: InstanceName, path: string, call: () => A): Effect.Effect<A, SocketUnusable> =>
  Effect.try({
    try: call,
    catch: (error) =>
      unusable(
        instance,
        path,
        codeOf(error),
        error instanceof Folder.Untrusted ? error.message : `it cannot be prepared (${codeOf(error)})`,
        "Check that the folder exists and that the supervisor may write there, or choose another path."
      )
  })

const clearPublicPath = (root: string, instance: InstanceName, path: string): Effect.Effect<void, SocketUnusable> =>
  Effect.gen(function*() {
    const found = yield* touch(instance, path, () => PublicPath.look(path))
    switch (found._tag) {
      case "Nothing":
        return
      case "Other":
        return yield* Effect.fail(unusable(
          instance,
          path,
          "EEXIST",
          `there is ${found.what} at this path, which is not tenement's to delete`,
          "Move it away, or choose another socket."
        ))
      case "Socket":
      case "OurLink":
        if (!(yield* isListened({ path }))) {
          return yield* touch(instance, path, () => PublicPath.removeStale(path, found))
        }
        // A run of this instance that still serves keeps the path until the next one is published.
        if (found._tag === "OurLink" && PrivatePath.isOf(root, instance, found.target)) return
        return yield* Effect.fail(unusable(
          instance,
          path,
          "EADDRINUSE",
          "another program listens there",
          "Stop that program, or choose another socket."
        ))
    }
  })

/** What is listened on here is the program's, wherever it is listed. */
const bind = ({ port, privatePath }: Endpoint): BoundSocket.BoundSocket => {
  if (port !== null) return BoundSocket.atPort(port)
  const socket = BoundSocket.atPath(privatePath)
  const owner = Fs.lstatSync(Path.dirname(privatePath))
  if (owner.uid !== process.geteuid?.()) SocketFile.giveSocket(privatePath, owner)
  return socket
}

const isFor = ({ endpoint }: Held, publicPath: string, port: number | "auto" | null): boolean =>
  endpoint.publicPath === publicPath && (port === "auto" ? endpoint.port !== null : endpoint.port === port)

const addressOf = ({ port, privatePath }: Endpoint) =>
  port === null ? { path: privatePath } : { host: "127.0.0.1", port }

/**
 * Private paths are kept below `runDir`, in a folder for each `dataDir` and, in that, for each instance, whose user owns
 * it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: { readonly runDir: string; readonly dataDir: string }): Layer.Layer<Sockets> =>
  Layer.scoped(
    Sockets,
    Effect.gen(function*() {
      const root = PrivatePath.rootOf(options)
      let isRootMade = false
      /** Private paths of the runs there are. */
      const given = new Set<string>()

      /** A path on which nobody listens: the runs of a supervisor that was killed may be alive. */
      const choosePath = Effect.fnUntraced(function*(instance: InstanceName, first: number) {
        for (let number = first; number < first + mostTaken; number++) {
          const path = PrivatePath.of(root, instance, number)
          if (given.has(path)) continue
          const found = yield* touch(instance, path, () => Fs.lstatSync(path, { throwIfNoEntry: false }))
          if (found?.isSocket() === true && (yield* isListened({ path }))) continue
          if (found !== undefined) yield* touch(instance, path, () => unless(["ENOENT"], () => Fs.unlinkSync(path)))
          return path
        }
        return yield* unusable(
          instance,
          Path.dirname(PrivatePath.of(root, instance, first)),
          "EADDRINUSE",
          `${mostTaken} programs listen in this folder`,
          "Look who they are, and end them."
        )
      })

      /** The folder of a run's private path, and what is needed around it. */
      const makeFolders = (privatePath: string, publicPath: string, owner: Folder.Owner | null) => {
        if (!isRootMade) PrivatePath.makeRoot(root)
        isRootMade = true
        PrivatePath.make(privatePath, owner)
        const folder = Path.dirname(publicPath)
        if (!Fs.existsSync(folder)) Fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
      }

      const forget = (privatePath: string) => {
        given.delete(privatePath)
        PrivatePath.remove(privatePath)
      }

      const ports = new Ports()

      const takePort = (instance: InstanceName, port: number | "auto") =>
        Effect.mapError(ports.take(port), (problem) => new SocketUnusable({ instance, ...problem }))

      const held = new HeldSockets()

      const remove = (endpoint: Endpoint) => {
        PublicPath.unpoint(endpoint)
        forget(endpoint.privatePath)
        if (endpoint.port !== null) ports.release(endpoint.port)
      }

      const drop = ({ endpoint, socket }: Held) => {
        socket.close()
        remove(endpoint)
      }

      const release = (instance: InstanceName) => {
        const kept = held.take(instance)
        if (kept !== undefined) drop(kept)
      }
      yield* Effect.addFinalizer(() => Effect.sync(() => held.kept.forEach(release)))

      /** What the run before has left, unless it has made it useless, or another is asked for by now. */
      const again = Effect.fnUntraced(function*(instance: InstanceName, isStillFor: (kept: Held) => boolean) {
        const kept = held.take(instance)
        if (kept === undefined) return null
        if (isStillFor(kept) && (yield* isListened(addressOf(kept.endpoint)))) {
          held.use(kept)
          return kept.endpoint
        }
        drop(kept)
        return null
      })

      return Sockets.of({
        prepare: Effect.fn("Sockets.prepare")(function*(options) {
          const { group, incarnation, instance, port, publicPath, user } = options
          const kept = yield* again(instance, (kept) => options.held && isFor(kept, publicPath, port))
          if (kept !== null) return kept
          const identity = user === null && group === null ? null : Accounts.identify(user, group)
          // An unknown user is the launcher's to refuse.
          const owner = identity === null || "unknown" in identity ? null : identity
          const privatePath = yield* choosePath(instance, incarnation)
          given.add(privatePath)
          return yield* Effect.gen(function*() {
            yield* touch(instance, privatePath, () => makeFolders(privatePath, publicPath, owner))
            yield* clearPublicPath(root, instance, publicPath)
            return {
              publicPath,
              privatePath,
              port: port === null ? null : yield* takePort(instance, port)
            }
          }).pipe(Effect.onError(() => Effect.sync(() => forget(privatePath))))
        }),
        publish: Effect.fn("Sockets.publish")(function*({ endpoint, instance, mode }) {
          yield* touch(instance, endpoint.publicPath, () => {
            const bound = PrivatePath.grant(endpoint.privatePath, mode)
            // A service of TCP alone has no socket to be led to; any other may still bind its own a little later.
            if (bound || endpoint.port === null) PublicPath.point(endpoint, mode)
          })
        }),
        withdraw: Effect.fn("Sockets.withdraw")((endpoint: Endpoint) =>
          Effect.sync(() => PublicPath.unpoint(endpoint))
        ),
        leads: Effect.fn("Sockets.leads")((endpoint: Endpoint) =>
          Effect.sync(() => {
            if (endpoint.port !== null && !Fs.existsSync(endpoint.privatePath)) return true
            // What cannot be seen cannot be mended either.
            return unless(["EACCES", "ENOTDIR"], () => PublicPath.leads(endpoint)) ?? true
          })
        ),
        adopt: Effect.fn("Sockets.adopt")(({ port, privatePath }: Endpoint) =>
          Effect.sync(() => {
            given.add(privatePath)
            if (port !== null) ports.adopt(port)
          })
        ),
        sweep: Effect.suspend(() =>
          Effect.forEach(
            PrivatePath.all(root).filter((path) => !given.has(path)),
            (path) => Effect.flatMap(isListened({ path }), (is) => is ? Effect.void : Effect.sync(() => forget(path))),
            { discard: true }
          )
        ),
        listen: Effect.fn("Sockets.listen")(function*({ endpoint, instance }) {
          const where = endpoint.port === null ? endpoint.privatePath : `127.0.0.1:${endpoint.port}`
          const { socket } = held.of(endpoint) ??
            (yield* touch(instance, where, () => {
              const made = { instance, endpoint, socket: bind(endpoint) }
              held.use(made)
              return made
            }))
          yield* Effect.mapError(
            LauncherListen.listen(socket.fd),
            ({ code, message }) =>
              unusable(instance, where, code, `it cannot be listened on: ${message}`, "apt-get install perl-base")
          )
          return socket.fd
        }),
        retire: Effect.fn("Sockets.retire")((endpoint: Endpoint) =>
          Effect.sync(() => {
            const own = held.of(endpoint)
            if (own === undefined) remove(endpoint)
            else if (!held.keep(own)) drop(own)
          })
        ),
        release: Effect.fn("Sockets.release")((instance: InstanceName) => Effect.sync(() => release(instance)))
      })
    })
  )
