/**
 * One supervisor for each `data_dir`: a lock that the kernel lets go of when its holder dies, however it dies.
 *
 * The holder listens on a Unix socket in the folder; who connects is told the holder's pid, and where nobody answers any
 * more (`ECONNREFUSED`) the holder is dead. Sockets are published by `link`, already listening, under the name after the
 * newest one (`lock.7` after `lock.6`), and the newest name is never taken away. So of all who found `lock.6` dead one
 * alone can make `lock.7`, and a lock that was alive when it was the newest can only be followed when it is dead.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"

/**
 * Another supervisor works on this folder.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>("tenement/AlreadyRunning")("AlreadyRunning", {
  dataDir: Schema.String,
  /** `null` when it is there and does not answer. */
  pid: Schema.NullOr(Schema.Int)
}) {
  override get message() {
    const holder = this.pid === null
      ? "another supervisor, which does not answer,"
      : `the supervisor with pid ${this.pid}`
    return `${holder} is in charge of ${this.dataDir}: stop it first, or set another data_dir`
  }
}

/**
 * The folder cannot be locked.
 *
 * @since 0.1.0
 * @category errors
 */
export class LockFailed extends Schema.TaggedError<LockFailed>("tenement/LockFailed")("LockFailed", {
  dataDir: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `${this.dataDir} cannot be locked (${this.code}): make sure that data_dir is a folder that this user can write to`
  }
}

const pattern = /^lock\.(\d{1,15})$/

const generations = (dir: string): ReadonlyArray<number> =>
  Fs.readdirSync(dir).flatMap((name) => {
    const [, generation] = pattern.exec(name) ?? []
    return generation === undefined ? [] : [Number(generation)]
  }).sort((a, b) => b - a)

/** What the holder answers, `undefined` when it is dead; a lock that was removed meanwhile is an `ENOENT`. */
const ask = (path: string) =>
  Effect.async<string | undefined, NodeJS.ErrnoException>((resume) => {
    let answer = ""
    const socket = Net.connect(path)
    socket.setEncoding("utf8")
    socket.on("data", (text) => answer += text)
    socket.on("end", () => resume(Effect.succeed(answer)))
    socket.on(
      "error",
      (error: NodeJS.ErrnoException) =>
        resume(error.code === "ECONNREFUSED" ? Effect.succeed(undefined) : Effect.fail(error))
    )
    return Effect.sync(() => socket.destroy())
  }).pipe(
    Effect.timeoutTo({ duration: "2 seconds", onSuccess: (answer) => answer, onTimeout: () => "" })
  )

/** A socket that answers with our pid, listening before anybody can find it. */
const listen = (path: string) =>
  Effect.acquireRelease(
    Effect.async<Net.Server, NodeJS.ErrnoException>((resume) => {
      const server = Net.createServer((socket) => {
        // Whoever asks may be gone before the answer is out.
        socket.on("error", () => undefined)
        socket.end(String(process.pid))
      })
      server.unref()
      server.on("error", (error) => resume(Effect.fail(error)))
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const attempt = <A>(call: () => A) => Effect.try({ try: call, catch: (error) => error as NodeJS.ErrnoException })

/** Gives the socket the next name, and takes away the older ones. False when another was faster. */
const publish = (dir: string, socket: string, generation: number) =>
  attempt(() => {
    const own = `${dir}/lock.${generation}`
    Fs.linkSync(socket, own)
    const [newest, ...older] = generations(dir)
    // What was the newest when we looked may have been followed, and taken away, before we linked.
    if (newest !== generation) {
      Fs.rmSync(own, { force: true })
      return false
    }
    for (const dead of older) Fs.rmSync(`${dir}/lock.${dead}`, { force: true })
    return true
  }).pipe(Effect.catchIf((error) => error.code === "EEXIST", () => Effect.succeed(false)))

type Outcome = "ours" | "overtaken" | { readonly holder: number | null }

/** One look at the newest lock: its holder's answer, or the lock after it for us. */
const contend = (dir: string, socket: string): Effect.Effect<Outcome, NodeJS.ErrnoException> =>
  Effect.gen(function*() {
    const [newest] = yield* attempt(() => generations(dir))
    const answer = newest === undefined ? undefined : yield* ask(`${dir}/lock.${newest}`)
    if (answer !== undefined) return { holder: Number.parseInt(answer, 10) || null }
    return (yield* publish(dir, socket, (newest ?? 0) + 1)) ? "ours" : "overtaken"
  }).pipe(
    // It was taken away, or its holder was killed, while we asked.
    Effect.catchIf(({ code }) => code === "ENOENT" || code === "ECONNRESET", () => Effect.succeed("overtaken" as const))
  )

/**
 * Holds the lock of this folder, which is made if need be, as long as the scope lives.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hold = Effect.fn("Lock.hold")(function*(dataDir: string) {
  const holding = yield* Effect.scope
  const outcome = yield* Effect.gen(function*() {
    // Through /proc a path is short, however deep the folder lies: a socket's path must not be longer than 107 bytes.
    const fd = yield* Effect.acquireRelease(
      attempt(() => {
        Fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
        return Fs.openSync(dataDir, Fs.constants.O_RDONLY | Fs.constants.O_DIRECTORY)
      }),
      (fd) => Effect.sync(() => Fs.closeSync(fd))
    )
    const dir = `/proc/self/fd/${fd}`
    const socket = `${dir}/.lock-${Crypto.randomBytes(8).toString("hex")}`
    yield* Scope.extend(listen(socket), holding)
    yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(socket, { force: true })))
    return yield* Effect.repeat(contend(dir, socket), { while: (outcome) => outcome === "overtaken", times: 1000 })
  }).pipe(
    Effect.scoped,
    Effect.mapError(({ code }) => new LockFailed({ dataDir, code: code ?? "EUNKNOWN" }))
  )
  if (outcome === "overtaken") return yield* new LockFailed({ dataDir, code: "EAGAIN" })
  if (outcome !== "ours") return yield* new AlreadyRunning({ dataDir, pid: outcome.holder })
})

/**
 * The lock of a folder for the life of a program.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (dataDir: string): Layer.Layer<never, AlreadyRunning | LockFailed> =>
  Layer.scopedDiscard(hold(dataDir))
