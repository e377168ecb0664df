import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Listeners from "../../src/control/Listeners.ts"
import * as Rig from "./Rig.ts"

const makeServer = Effect.acquireRelease(
  Effect.sync(() => Http.createServer((_, response) => response.end(`{"pid":${process.pid}}`))),
  (server) =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

const open = (path: string) => Effect.asVoid(Effect.flatMap(makeServer, (server) => Listeners.openSocket(server, path)))

const withUmask = <A, E, R>(mask: number, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => process.umask(mask)),
    () => effect,
    (before) => Effect.sync(() => process.umask(before))
  )

const modeOf = (path: string) => (Fs.statSync(path).mode & 0o777).toString(8)

const connect = (path: string) =>
  Effect.async<string>((resume) => {
    const socket = Net.connect(path, () => {
      socket.destroy()
      resume(Effect.succeed("connected"))
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
  })

/** Connects as the user `nobody`. */
const connectAsNobody = (path: string) => {
  const script = `require("net").connect(${JSON.stringify(path)}).on("connect", () => process.exit(0))
    .on("error", (error) => { console.log(error.code); process.exit(1) })`
  return spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "-e", script], {
    encoding: "utf8"
  }).stdout.trim()
}

describe("the control socket", () => {
  it.scopedLive("is for its owner alone, in a folder for its owner alone, whatever the umask", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* Rig.tempDir, "run", "t.sock")
      yield* withUmask(0, open(path))
      assert.strictEqual(modeOf(path), "600")
      assert.strictEqual(modeOf(Path.dirname(path)), "700")
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(path)), ["t.sock"])
      assert.strictEqual(yield* connect(path), "connected")
    }))

  it.scopedLive(
    "lets nobody in, even in a folder that is open to all",
    () =>
      Effect.gen(function*() {
        const dir = yield* Rig.tempDir
        // Only root can try it as somebody else.
        if (process.getuid?.() !== 0) return
        const path = Path.join(dir, "t.sock")
        Fs.chmodSync(dir, 0o777)
        assert.include((yield* Effect.flip(open(path))).message, `others than root may change what is in ${dir}`)
        assert.deepStrictEqual(Fs.readdirSync(dir), [])
        Fs.chmodSync(dir, 0o1777)
        yield* withUmask(0, open(path))
        assert.strictEqual(connectAsNobody(path), "EACCES")
        assert.strictEqual(modeOf(dir), "777")
      })
  )

  it.scopedLive("takes the place of one that nobody listens on any more", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* Rig.tempDir, "t.sock")
      const dead = `const s = require("net").createServer().listen(${
        JSON.stringify(path)
      }, () => process.kill(process.pid, "SIGKILL"))`
      spawnSync(process.execPath, ["-e", dead])
      assert.strictEqual(yield* connect(path), "ECONNREFUSED")
      yield* open(path)
      assert.strictEqual(yield* connect(path), "connected")
    }))

  it.scopedLive("leaves one that somebody listens on, and says who it is", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* Rig.tempDir, "t.sock")
      yield* open(path)
      const refused = yield* Effect.flip(open(path))
      assert.strictEqual(refused._tag, "ListenFailed")
      assert.include(refused.message, `the supervisor with pid ${process.pid} listens there`)
      assert.strictEqual(yield* connect(path), "connected")
    }))

  it.scopedLive("leaves anything else that is in its place", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      const file = Path.join(dir, "file")
      Fs.writeFileSync(file, "precious")
      const link = Path.join(dir, "link")
      Fs.symlinkSync(file, link)
      for (const path of [file, link, dir, Path.join(file, "t.sock")]) {
        const refused = yield* Effect.flip(open(path))
        assert.strictEqual(refused._tag, "ListenFailed", path)
      }
      assert.strictEqual(Fs.readFileSync(file, "utf8"), "precious")
      assert.sameMembers(Fs.readdirSync(dir), ["file", "link"])
    }))

  it.scopedLive("is taken away in the end, unless it is another's by then", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* Rig.tempDir, "t.sock")
      yield* Effect.scoped(open(path))
      assert.isFalse(Fs.existsSync(path))
      const scope = yield* Scope.make()
      yield* Scope.extend(open(path), scope)
      Fs.unlinkSync(path)
      Fs.writeFileSync(path, "another's")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(Fs.readFileSync(path, "utf8"), "another's")
    }))

  it.scopedLive("may lie as deep as a socket can be reached", () =>
    Effect.gen(function*() {
      const dir = yield* Rig.tempDir
      const path = Path.join(dir, "d".repeat(107 - "/".length - "/t.sock".length - dir.length), "t.sock")
      assert.strictEqual(Buffer.byteLength(path), 107)
      yield* open(path)
      assert.strictEqual(yield* connect(path), "connected")
    }))
})

describe("TCP", () => {
  const openTcp = (host: string, port: number) =>
    Effect.flatMap(makeServer, (server) => Listeners.openTcp(server, { host, port }))

  it.scopedLive("says why it cannot be opened", () =>
    Effect.gen(function*() {
      const { port } = yield* openTcp("127.0.0.1", 0)
      const taken = yield* Effect.flip(openTcp("127.0.0.1", port))
      assert.include(taken.message, `127.0.0.1:${port}: another program listens there (EADDRINUSE)`)
      assert.include((yield* Effect.flip(openTcp("192.0.2.1", 0))).message, "this machine has no such address")
    }))
})
