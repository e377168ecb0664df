import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { InstanceName } from "../../src/domain/Names.ts"
import * as Endpoint from "../../src/layers/Endpoint.ts"
import { isListened } from "../../src/layers/internal/connect.ts"
import * as PrivatePath from "../../src/layers/internal/privatePath.ts"
import * as Sockets from "../../src/layers/Sockets.ts"
import { folder, instance, isRoot } from "./Harness.ts"

/** A program that listens on `path`; told to die, it leaves its socket behind as a killed one does. */
const listening = (path: string): Effect.Effect<{ readonly die: Effect.Effect<void> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Net.Server>((resume) => {
      const server = Net.createServer((socket) => socket.destroy())
      server.listen(`${path}.new`, () => {
        // Node removes the name it bound when it closes: another name of the same socket stays.
        Fs.renameSync(`${path}.new`, path)
        resume(Effect.succeed(server))
      })
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  ).pipe(Effect.map((server) => ({
    die: Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  })))

const setup = Effect.gen(function*() {
  const dir = yield* folder
  const runDir = `${dir}/run`
  const publicPath = `${dir}/public/api.sock`
  Fs.mkdirSync(Path.dirname(publicPath))
  const request = { instance, incarnation: 1, publicPath, port: null, user: null, group: null, held: false }
  return { dir, runDir, publicPath, request }
})

const withSockets = <A, E, R>(
  runDir: string,
  body: (sockets: typeof Sockets.Sockets.Service) => Effect.Effect<A, E, R>
) => Effect.provide(Effect.flatMap(Sockets.Sockets, body), Sockets.layer({ runDir, dataDir: "/data" }))

const rootOf = (runDir: string) => PrivatePath.rootOf({ runDir, dataDir: "/data" })

const mode = (path: string): number => Fs.lstatSync(path).mode & 0o7777

describe("Sockets", () => {
  it.scopedLive("leads the public path to each run in turn, and takes away what it made", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          for (const incarnation of [1, 2, 3]) {
            const endpoint = yield* prepare({ ...request, incarnation })
            assert.isFalse(Fs.existsSync(endpoint.privatePath))
            assert.isUndefined(Fs.lstatSync(publicPath, { throwIfNoEntry: false }))
            const server = yield* listening(endpoint.privatePath)
            yield* publish({ instance, endpoint, mode: 0o666 })
            assert.strictEqual(Fs.readlinkSync(publicPath), endpoint.privatePath)
            assert.strictEqual(mode(endpoint.privatePath), 0o666)
            assert.isTrue(yield* isListened({ path: publicPath }))
            assert.deepStrictEqual(yield* Endpoint.address(endpoint), { path: endpoint.privatePath })
            yield* server.die
            yield* retire(endpoint)
            assert.deepStrictEqual(Fs.readdirSync(Path.dirname(publicPath)), [])
            assert.deepStrictEqual(Fs.readdirSync(rootOf(runDir)), [])
          }
          assert.deepStrictEqual(Fs.readdirSync(dir).sort(), ["public", "run"])
        }))
    }))

  it.scopedLive("a new run takes the path over while the old one serves; the old one's end leaves it alone", () =>
    Effect.gen(function*() {
      const { publicPath, request, runDir } = yield* setup
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          const old = yield* prepare(request)
          yield* listening(old.privatePath)
          yield* publish({ instance, endpoint: old, mode: 0o600 })
          const next = yield* prepare({ ...request, incarnation: 2 })
          assert.isTrue(yield* isListened({ path: publicPath }))
          yield* listening(next.privatePath)
          yield* publish({ instance, endpoint: next, mode: 0o600 })
          yield* retire(old)
          assert.strictEqual(Fs.readlinkSync(publicPath), next.privatePath)
          assert.isTrue(yield* isListened({ path: publicPath }))
        }))
    }))

  it.scopedLive("a program that binds the public path itself keeps it", () =>
    Effect.gen(function*() {
      const { publicPath, request, runDir } = yield* setup
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          const endpoint = yield* prepare(request)
          const server = yield* listening(publicPath)
          yield* publish({ instance, endpoint, mode: 0o640 })
          assert.isTrue(Fs.lstatSync(publicPath).isSocket())
          assert.strictEqual(mode(publicPath), 0o640)
          assert.deepStrictEqual(yield* Endpoint.address(endpoint), { path: publicPath })
          yield* server.die
          yield* retire(endpoint)
          // What it left behind is out of the way of its next run.
          assert.isTrue(Fs.lstatSync(publicPath).isSocket())
          yield* prepare({ ...request, incarnation: 2 })
          assert.isUndefined(Fs.lstatSync(publicPath, { throwIfNoEntry: false }))
        }))
    }))

  it.scopedLive("refuses what belongs to others, and touches none of it", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      const other = `${dir}/other.sock`
      yield* listening(other)
      const foreign = `${dir}/else/.run-01234567/web.default/4.sock`
      Fs.mkdirSync(Path.dirname(foreign), { recursive: true })
      yield* listening(foreign)
      const cases: ReadonlyArray<readonly [string, string, () => void]> = [
        ["EADDRINUSE", "another instance", () => Fs.symlinkSync(foreign, publicPath)],
        ["EADDRINUSE", "a live socket", () => Fs.linkSync(other, publicPath)],
        ["EEXIST", "a link", () => Fs.symlinkSync(other, publicPath)],
        ["EEXIST", "a dangling link", () => Fs.symlinkSync("/nowhere", publicPath)],
        ["EEXIST", "a file", () => Fs.writeFileSync(publicPath, "precious")],
        ["EEXIST", "a folder", () => Fs.mkdirSync(publicPath)]
      ]
      yield* withSockets(runDir, ({ prepare }) =>
        Effect.gen(function*() {
          for (const [code, what, make] of cases) {
            Fs.rmSync(publicPath, { recursive: true, force: true })
            make()
            const before = Fs.lstatSync(publicPath)
            const error = yield* Effect.flip(prepare(request))
            assert.strictEqual(error.code, code, what)
            assert.include(error.message, publicPath)
            assert.strictEqual(Fs.lstatSync(publicPath).ino, before.ino, what)
          }
        }))
    }))

  it.scopedLive("what is listened on stays from run to run, while it can be used, and goes with the last", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      const held = { ...request, held: true }
      yield* withSockets(runDir, ({ listen, prepare, publish, release, retire }) =>
        Effect.gen(function*() {
          const run = (incarnation: number) =>
            Effect.gen(function*() {
              const endpoint = yield* prepare({ ...held, incarnation })
              const fd = yield* listen({ instance, endpoint })
              yield* publish({ instance, endpoint, mode: 0o660 })
              assert.isTrue(yield* isListened({ path: publicPath }))
              assert.strictEqual(mode(endpoint.privatePath), 0o660)
              return { endpoint, fd }
            })
          const first = yield* run(1)
          yield* retire(first.endpoint)
          assert.isTrue(yield* isListened({ path: publicPath }), "whoever comes waits")
          const second = yield* run(2)
          assert.deepStrictEqual(second, first)

          // Beside it another has one of its own, and whoever ends first takes its own away.
          const beside = yield* run(3)
          assert.notStrictEqual(beside.endpoint.privatePath, second.endpoint.privatePath)
          yield* retire(second.endpoint)
          assert.isFalse(Fs.existsSync(second.endpoint.privatePath))
          yield* retire(beside.endpoint)

          // The program took the name away.
          Fs.unlinkSync(beside.endpoint.privatePath)
          const fourth = yield* run(4)
          assert.notStrictEqual(fourth.endpoint.privatePath, beside.endpoint.privatePath)
          yield* retire(fourth.endpoint)
          // The file says something else by now.
          const plain = yield* prepare({ ...request, incarnation: 5 })
          assert.isFalse(Fs.existsSync(plain.privatePath))
          assert.isFalse(Fs.existsSync(fourth.endpoint.privatePath))
          yield* retire(plain)

          yield* retire((yield* run(6)).endpoint)
          yield* release(instance)
          assert.deepStrictEqual(Fs.readdirSync(rootOf(runDir)), [])
          yield* retire((yield* run(7)).endpoint)
        }))
      assert.deepStrictEqual(Fs.readdirSync(rootOf(runDir)), [])
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(publicPath)), [])
      assert.deepStrictEqual(Fs.readdirSync(dir).sort(), ["public", "run"])
    }))

  it.scopedLive("a port that is taken by another program is not listened on", () =>
    Effect.gen(function*() {
      const { request, runDir } = yield* setup
      yield* withSockets(runDir, ({ listen, prepare, release, retire }) =>
        Effect.gen(function*() {
          const endpoint = yield* prepare({ ...request, port: "auto", held: true })
          const other = yield* Effect.acquireRelease(
            Effect.async<Net.Server>((resume) => {
              const server = Net.createServer().listen(
                endpoint.port!,
                "127.0.0.1",
                () => resume(Effect.succeed(server))
              )
            }),
            (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
          )
          const error = yield* Effect.flip(listen({ instance, endpoint }))
          assert.strictEqual(error.code, "EADDRINUSE")
          yield* Effect.async<void>((resume) => void other.close(() => resume(Effect.void)))
          yield* listen({ instance, endpoint })
          assert.isTrue(yield* isListened({ host: "127.0.0.1", port: endpoint.port! }))
          yield* retire(endpoint)
          yield* release(instance)
          assert.isFalse(yield* isListened({ host: "127.0.0.1", port: endpoint.port! }))
        }))
    }))

  it.scopedLive("links left by a supervisor that was killed are no obstacle", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      Fs.symlinkSync(`${dir}/gone/.run-01234567/api.default/17.sock`, publicPath)
      yield* withSockets(runDir, ({ prepare }) => prepare(request))
      assert.isUndefined(Fs.lstatSync(publicPath, { throwIfNoEntry: false }))
    }))

  it.scopedLive("no chmod goes through what an instance puts at its private path", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      const victim = `${dir}/victim.sock`
      yield* listening(victim)
      Fs.chmodSync(victim, 0o600)
      const secret = `${dir}/secret`
      Fs.writeFileSync(secret, "precious", { mode: 0o600 })
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          const attacks: ReadonlyArray<(path: string) => void> = [
            (path) => Fs.symlinkSync(victim, path),
            (path) => Fs.symlinkSync(secret, path),
            (path) => Fs.linkSync(victim, path),
            (path) => Fs.linkSync(secret, path),
            (path) => Fs.symlinkSync(path, path),
            (path) => Fs.mkdirSync(path)
          ]
          for (const [at, attack] of attacks.entries()) {
            const endpoint = yield* prepare({ ...request, incarnation: at + 1 })
            attack(endpoint.privatePath)
            yield* publish({ instance, endpoint, mode: 0o666 })
            yield* retire(endpoint)
            assert.strictEqual(mode(victim), 0o600)
            assert.strictEqual(mode(secret), 0o600)
            assert.strictEqual(Fs.readFileSync(secret, "utf8"), "precious")
          }
          assert.isUndefined(Fs.lstatSync(publicPath, { throwIfNoEntry: false }))
        }))
    }))

  it.scopedLive("does not work in a folder that others prepared", () =>
    Effect.gen(function*() {
      const { dir, request, runDir } = yield* setup
      Fs.mkdirSync(runDir)
      Fs.symlinkSync(dir, rootOf(runDir))
      const error = yield* Effect.flip(withSockets(runDir, ({ prepare }) => prepare(request)))
      assert.include(error.message, rootOf(runDir))
      Fs.unlinkSync(rootOf(runDir))
      Fs.mkdirSync(rootOf(runDir))
      Fs.chmodSync(rootOf(runDir), 0o777)
      yield* Effect.flip(withSockets(runDir, ({ prepare }) => prepare(request)))
    }))

  it.scopedLive.skipIf(!isRoot)(
    "the run's user owns the folder it listens in, and nothing above it",
    () =>
      Effect.gen(function*() {
        const { request, runDir } = yield* setup
        yield* withSockets(runDir, ({ prepare }) =>
          Effect.gen(function*() {
            const { privatePath } = yield* prepare({ ...request, user: "nobody" })
            const own = Fs.statSync(Path.dirname(privatePath))
            const above = Fs.statSync(Path.dirname(Path.dirname(privatePath)))
            const nobody = Fs.readFileSync("/etc/passwd", "utf8").split("\n").find((line) =>
              line.startsWith("nobody:")
            )!
            assert.strictEqual(own.uid, Number(nobody.split(":")[2]))
            assert.strictEqual(own.mode & 0o7777, 0o755)
            assert.strictEqual(above.uid, 0)
            assert.strictEqual(above.mode & 0o022, 0)
          }))
      })
  )

  it.scopedLive.skipIf(!isRoot)(
    "a socket of another user in a folder that all may write is never asked, whoever the run is",
    () =>
      Effect.gen(function*() {
        const { dir, request, runDir } = yield* setup
        const shared = `${dir}/shared`
        Fs.mkdirSync(shared)
        Fs.chmodSync(shared, 0o1777)
        Fs.chmodSync(dir, 0o755)
        const publicPath = `${shared}/api.sock`
        yield* withSockets(runDir, ({ leads, prepare, publish }) =>
          Effect.gen(function*() {
            for (const [incarnation, user] of [[1, null], [2, "nobody"]] as const) {
              const endpoint = yield* prepare({ ...request, incarnation, publicPath, user })
              const squatter = yield* listening(publicPath)
              Fs.lchownSync(publicPath, 12345, 12345)
              assert.deepStrictEqual(yield* Endpoint.address(endpoint), { path: endpoint.privatePath })
              assert.isFalse(yield* leads(endpoint))
              const error = yield* Effect.flip(publish({ instance, endpoint, mode: 0o666 }))
              assert.include(error.message, "uid 12345")
              assert.notStrictEqual(mode(publicPath), 0o666)
              Fs.lchownSync(publicPath, PrivatePath.ownerOf(endpoint.privatePath), 0)
              yield* publish({ instance, endpoint, mode: 0o666 })
              assert.strictEqual(mode(publicPath), 0o666)
              assert.deepStrictEqual(yield* Endpoint.address(endpoint), { path: publicPath })
              yield* squatter.die
              Fs.unlinkSync(publicPath)
            }
          }))
      })
  )

  it.scopedLive.skipIf(!isRoot)(
    "a link of another user is not taken for one of ours, and stays",
    () =>
      Effect.gen(function*() {
        const { dir, publicPath, request, runDir } = yield* setup
        Fs.symlinkSync(`${dir}/gone/.run-01234567/api.default/17.sock`, publicPath)
        Fs.lchownSync(publicPath, 12345, 12345)
        const error = yield* Effect.flip(withSockets(runDir, ({ prepare }) => prepare(request)))
        assert.strictEqual(error.code, "EEXIST")
        assert.isTrue(Fs.lstatSync(publicPath).isSymbolicLink())
      })
  )

  it.scopedLive("a path that cannot be looked at is a failed probe", () =>
    Effect.gen(function*() {
      const { dir, publicPath } = yield* setup
      Fs.writeFileSync(`${dir}/file`, "")
      const endpoint = { publicPath: `${dir}/file/api.sock`, privatePath: `${dir}/none/1.sock`, port: null }
      const error = yield* Effect.flip(Endpoint.address(endpoint))
      assert.strictEqual(error.message, `${dir}/file/api.sock cannot be looked at (ENOTDIR)`)
      assert.isFalse(Fs.existsSync(publicPath))
    }))

  it.scopedLive("knows when the public path no longer leads to the run, and publishes it again, folder and all", () =>
    Effect.gen(function*() {
      const { publicPath, request, runDir } = yield* setup
      yield* withSockets(runDir, ({ leads, prepare, publish }) =>
        Effect.gen(function*() {
          const endpoint = yield* prepare(request)
          assert.isFalse(yield* leads(endpoint))
          yield* listening(endpoint.privatePath)
          const again = publish({ instance, endpoint, mode: 0o666 })
          yield* again
          assert.isTrue(yield* leads(endpoint))
          Fs.rmSync(Path.dirname(publicPath), { recursive: true })
          assert.isFalse(yield* leads(endpoint))
          yield* again
          assert.isTrue(yield* isListened({ path: publicPath }))
          Fs.unlinkSync(publicPath)
          Fs.writeFileSync(publicPath, "precious")
          assert.isFalse(yield* leads(endpoint))
          yield* Effect.flip(again)
          assert.strictEqual(Fs.readFileSync(publicPath, "utf8"), "precious")
        }))
    }))

  it.scopedLive("ports: each its own when automatic, refused when somebody listens", () =>
    Effect.gen(function*() {
      const { publicPath, request, runDir } = yield* setup
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          const endpoints = yield* Effect.forEach(
            Array.from({ length: 50 }, (_, i) => i),
            (i) => prepare({ ...request, instance: InstanceName.make(`api:i${i}`), port: "auto" }),
            { concurrency: 8 }
          )
          assert.strictEqual(new Set(endpoints.map(({ port }) => port)).size, 50)
          const endpoint = endpoints[0]!
          const port = endpoint.port!
          assert.deepStrictEqual(yield* Endpoint.address(endpoint), { host: "127.0.0.1", port })
          yield* publish({ instance, endpoint, mode: 0o666 })
          assert.isUndefined(Fs.lstatSync(publicPath, { throwIfNoEntry: false }))
          assert.strictEqual((yield* prepare({ ...request, port })).port, port)
          yield* Effect.acquireRelease(
            Effect.async<Net.Server>((resume) => {
              const server = Net.createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
            }),
            (server) => Effect.sync(() => server.close())
          )
          const error = yield* Effect.flip(prepare({ ...request, port }))
          assert.strictEqual(error.code, "EADDRINUSE")
          assert.include(error.message, `127.0.0.1:${port}`)
          yield* Effect.forEach(endpoints, retire)
        }))
    }))

  it("private paths fit into a socket address, and no two instances share one", () => {
    const name = FC.stringMatching(/^[a-z0-9][a-z0-9_-]{0,62}$/)
    const anyInstance = FC.tuple(name, name).map(([service, id]) => InstanceName.make(`${service}:${id}`))
    FC.assert(FC.property(anyInstance, anyInstance, FC.nat(1e6), FC.nat(20), (a, b, incarnation, depth) => {
      const runDir = `/run/tenement-services${"/deep".repeat(depth / 3)}`
      const [one, two] = [a, b].map((instance) => PrivatePath.of(rootOf(runDir), instance, incarnation)) as [
        string,
        string
      ]
      assert.isTrue(Buffer.byteLength(one) <= 107)
      assert.strictEqual(one === two, a === b)
      assert.isTrue(PrivatePath.isOf(rootOf(runDir), a, one))
      assert.strictEqual(PrivatePath.isOf(rootOf(runDir), a, two), a === b)
    }))
  })

  it.scopedLive("what a run of a killed supervisor listens on is left alone, and its dead sockets are not", () =>
    Effect.gen(function*() {
      const { publicPath, request, runDir } = yield* setup
      const folder = `${rootOf(runDir)}/api.default`
      Fs.mkdirSync(folder, { recursive: true })
      yield* listening(`${folder}/1.sock`)
      yield* Effect.flatMap(listening(`${folder}/2.sock`), ({ die }) => die)
      yield* withSockets(runDir, ({ prepare, publish, retire }) =>
        Effect.gen(function*() {
          const endpoint = yield* prepare(request)
          assert.strictEqual(endpoint.privatePath, `${folder}/2.sock`)
          assert.isFalse(Fs.existsSync(endpoint.privatePath))
          const next = yield* prepare({ ...request, incarnation: 2 })
          assert.strictEqual(next.privatePath, `${folder}/3.sock`)
          yield* listening(next.privatePath)
          yield* publish({ instance, endpoint: next, mode: 0o666 })
          yield* retire(endpoint)
          yield* retire(next)
          assert.isTrue(yield* isListened({ path: `${folder}/1.sock` }))
          assert.isFalse(Fs.existsSync(publicPath))
          assert.deepStrictEqual(Fs.readdirSync(folder), ["1.sock"])
        }))
    }))

  it.scopedLive("two supervisors may keep their sockets in one folder", () =>
    Effect.gen(function*() {
      const { dir, publicPath, request, runDir } = yield* setup
      const under = (dataDir: string) =>
        Effect.gen(function*() {
          const path = `${publicPath}${dataDir.length}`
          const { prepare, publish, retire } = yield* Sockets.Sockets
          const endpoint = yield* prepare({ ...request, publicPath: path })
          yield* listening(endpoint.privatePath)
          yield* publish({ instance, endpoint, mode: 0o666 })
          return { endpoint, retire: retire(endpoint) }
        }).pipe(Effect.provide(Sockets.layer({ runDir, dataDir })))
      const one = yield* under(`${dir}/one`)
      const other = yield* under(`${dir}/other`)
      assert.notStrictEqual(one.endpoint.privatePath, other.endpoint.privatePath)
      yield* one.retire
      assert.isTrue(yield* isListened({ path: other.endpoint.publicPath }))
      yield* other.retire
    }))

  it.scopedLive.skipIf(!isRoot)("gives no folder away that somebody else could exchange", () =>
    Effect.gen(function*() {
      const { dir, request, runDir } = yield* setup
      Fs.chmodSync(dir, 0o755)
      for (const [uid, mode] of [[12345, 0o755], [0, 0o777], [0, 0o775]] as const) {
        Fs.chownSync(dir, uid, 0)
        Fs.chmodSync(dir, mode)
        const error = yield* Effect.flip(withSockets(runDir, ({ prepare }) => prepare({ ...request, user: "nobody" })))
        assert.include(error.message, `may change what is in ${dir}`)
        yield* withSockets(runDir, ({ prepare }) => prepare(request))
      }
      Fs.chmodSync(dir, 0o1777)
      yield* withSockets(runDir, ({ prepare }) => prepare({ ...request, user: "nobody" }))
    }))

  it.scopedLive("says so when run_dir is too long for any socket", () =>
    Effect.gen(function*() {
      const { dir, request } = yield* setup
      const error = yield* Effect.flip(withSockets(`${dir}/${"x".repeat(100)}`, ({ prepare }) => prepare(request)))
      assert.match(error.message, /107 bytes/)
    }))
})
