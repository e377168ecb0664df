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
import { codeOf } from "../internal/errno.ts"
import { shortWay } from "../internal/shortWay.ts"
import { isListened } from "./internal/connect.ts"

/**
 * Another supervisor works on this folder.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>()("AlreadyRunning", {
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
export class LockFailed extends Schema.TaggedError<LockFailed>()("LockFailed", {
  dataDir: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `${this.dataDir} cannot be locked (${this.code}): make sure that data_dir is a folder that this user can write to`
  }
}

const hidden = ".lock-"
const pattern = /^lock\.(\d{1,15})$/

const generations = (dir: string): ReadonlyArray<number> =>
  Fs.readdirSync(dir).flatMap((name) => {
    const [, generation] = pattern.exec(name) ?? []
    return generation === undefined ? [] : [Number(generation)]
  }).sort((a, b) => b - a)

/** The folder, and the short way to it by which the socket is made and found. */
interface Place {
  readonly dataDir: string
  readonly dir: string
  readonly socket: string
}

const failed = (dataDir: string) => (error: unknown) => new LockFailed({ dataDir, code: codeOf(error) })

const attempt = <A>(dataDir: string, call: () => A) => Effect.try({ try: call, catch: failed(dataDir) })

/** What the holder answers, `undefined` when it is dead; a lock that was removed meanwhile is an `ENOENT`. */
const ask = ({ dataDir, dir }: Place, generation: number) =>
  Effect.async<string | undefined, LockFailed>((resume) => {
    let answer = ""
    const socket = Net.connect(`${dir}/lock.${generation}`)
    socket.setEncoding("utf8")
    socket.on("data", (text) => answer += text)
    socket.on("end", () => resume(Effect.succeed(answer)))
    socket.on("error", (error) =>
      resume(codeOf(error) === "ECONNREFUSED" ? Effect.succeed(undefined) : Effect.fail(failed(dataDir)(error))))
    return Effect.sync(() =>
      socket.destroy()
    )
  }).pipe(
    Effect.timeoutTo({ duration: "2 seconds", onSuccess: (answer) => answer, onTimeout: () => "" })
  )

/** A socket that answers with our pid, listening before anybody can find it. */
const listen = ({ dataDir, socket }: Place) =>
  Effect.acquireRelease(
    Effect.async<Net.Server, LockFailed>((resume) => {
      const server = Net.createServer((connection) => {
        // Whoever asks may be gone before the answer is out.
        connection.on("error", () => undefined)
        connection.end(String(process.pid))
      })
      server.unref()
      server.on("error", (error) => resume(Effect.fail(failed(dataDir)(error))))
      server.listen(socket, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** Gives the socket the next name, and takes away the older ones. False when another was faster. */
const publish = ({ dataDir, dir, socket }: Place, generation: number) =>
  attempt(dataDir, () => {
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
  })

type Outcome = "ours" | "overtaken" | { readonly holder: number | null }

// Another was faster; the lock was taken away while we asked; its holder was killed while it answered.
const fleeting = new Set(["EEXIST", "ENOENT", "ECONNRESET"])

/** One look at the newest lock: its holder's answer, or the lock after it for us. */
const contend = (place: Place): Effect.Effect<Outcome, LockFailed> =>
  Effect.gen(function*() {
    const [newest] = yield* attempt(place.dataDir, () => generations(place.dir))
    const answer = newest === undefined ? undefined : yield* ask(place, newest)
    if (answer !== undefined) return { holder: Number.parseInt(answer, 10) || null }
    return (yield* publish(place, (newest ?? 0) + 1)) ? "ours" : "overtaken"
  }).pipe(Effect.catchIf(({ code }) => fleeting.has(code), () => Effect.succeed("overtaken" as const)))

/** Takes away the sockets of who was killed over its try. */
const clear = ({ dataDir, dir, socket }: Place) =>
  Effect.gen(function*() {
    for (const name of yield* attempt(dataDir, () => Fs.readdirSync(dir))) {
      const path = `${dir}/${name}`
      if (!name.startsWith(hidden) || path === socket || (yield* isListened({ path }))) continue
      yield* attempt(dataDir, () => Fs.rmSync(path, { force: true }))
    }
  })

/**
 * Holds the lock of this folder, which is made if need be, as long as the scope lives.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hold = Effect.fn("Lock.hold")(function*(dataDir: string) {
  const holding = yield* Effect.scope
  const outcome = yield* Effect.gen(function*() {
    yield* attempt(dataDir, () => Fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 }))
    const dir = yield* shortWay(dataDir, failed(dataDir))
    const place = { dataDir, dir, socket: `${dir}/${hidden}${Crypto.randomBytes(8).toString("hex")}` }
    yield* Scope.extend(listen(place), holding)
    yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(place.socket, { force: true })))
    yield* attempt(dataDir, () => Fs.chmodSync(place.socket, 0o600))
    const outcome = yield* Effect.repeat(contend(place), { while: (outcome) => outcome === "overtaken", times: 1000 })
    if (outcome === "ours") yield* clear(place)
    return outcome
  }).pipe(Effect.scoped)
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
