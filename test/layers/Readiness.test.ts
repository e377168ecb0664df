import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import { InstanceName } from "../../src/domain/Names.ts"
import { Unhealthy } from "../../src/layers/Errors.ts"
import * as HealthCheck from "../../src/layers/HealthCheck.ts"
import * as PrivatePath from "../../src/layers/internal/privatePath.ts"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as Notify from "../../src/layers/Notify.ts"
import * as Readiness from "../../src/layers/Readiness.ts"
import * as Sockets from "../../src/layers/Sockets.ts"
import { eventually, folder, isRoot, silent } from "./Harness.ts"

const nowhere = { publicPath: "/nowhere", privatePath: "/nowhere", port: null }

/** Answers the n-th look. */
const scripted = (answer: (look: number) => Effect.Effect<string, Unhealthy>) => {
  const looks = { count: 0 }
  return [looks, HealthCheck.make(() => Effect.suspend(() => answer(++looks.count)))] as const
}

const notReady = Effect.fail(new Unhealthy({ detail: "connect ENOENT" }))

describe("Readiness.health", () => {
  it.scoped("looks soon, then less often, and tells what it sees when that has changed", () =>
    Effect.gen(function*() {
      const busy = Effect.fail(new Unhealthy({ detail: "GET /health: 503" }))
      const [looks, layer] = scripted((look) =>
        look < 20 ? notReady : look < 50 ? busy : Effect.succeed("GET /health: 200")
      )
      const details: Array<string> = []
      const { env, ready } = yield* Effect.provide(
        Effect.flatMap(Readiness.Readiness, ({ prepare }) => prepare(nowhere)),
        Layer.provide(Readiness.health, layer)
      )
      assert.deepStrictEqual(env, {})
      const fiber = yield* Effect.fork(ready((detail) => Effect.sync(() => details.push(detail))))
      yield* TestClock.adjust("25 millis")
      assert.strictEqual(looks.count, 2)
      yield* TestClock.adjust("1 second")
      assert.isAbove(looks.count, 6)
      const before = looks.count
      yield* TestClock.adjust("10 seconds")
      // Every half second, give or take a quarter of it.
      assert.isAtLeast(looks.count - before, 15)
      assert.isAtMost(looks.count - before, 27)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "GET /health: 200")
      assert.deepStrictEqual(details, ["connect ENOENT", "GET /health: 503"])
    }))

  it.effect("started is ready at once", () =>
    Effect.gen(function*() {
      const { prepare } = yield* Readiness.Readiness
      const { ready } = yield* prepare(nowhere)
      assert.strictEqual(yield* ready(() => Effect.void), "started")
    }).pipe(Effect.scoped, Effect.provide(Readiness.started)))
})

const wait = (runDir: string, user: string | null, program: string) =>
  Effect.gen(function*() {
    const sockets = yield* Sockets.Sockets
    const { launch } = yield* Launcher.Launcher
    const { prepare } = yield* Readiness.Readiness
    const name = InstanceName.make(`api:r${Math.floor(Math.random() * 1e9)}`)
    const endpoint = yield* sockets.prepare({
      instance: name,
      incarnation: 1,
      publicPath: `${runDir}/public.sock`,
      port: null,
      user,
      group: null,
      held: false
    })
    const { env, ready } = yield* prepare(endpoint)
    const told: Array<string> = []
    yield* launch(
      yield* silent(["perl", "-MSocket", "-e", program], {
        user,
        env: { PATH: "/usr/bin:/bin", SOCKET_PATH: endpoint.privatePath, ...env }
      })
    )
    return { env, told, ready: ready((detail) => Effect.sync(() => told.push(detail))) }
  })

const shared = (readiness: Layer.Layer<Readiness.Readiness, never, Notify.Notify>, runDir: string) =>
  readiness.pipe(
    Layer.provideMerge(Layer.mergeAll(Notify.layer, Launcher.layer, Sockets.layer({ runDir, dataDir: runDir })))
  )

/** Sends each argument as one datagram, again and again while nobody takes it. */
const say = (...messages: ReadonlyArray<string>) => `
  socket my $s, AF_UNIX, SOCK_DGRAM, 0;
  for my $message (${messages.map((text) => `"${text}"`).join(", ")}) {
    select undef, undef, undef, 0.02 until defined send($s, $message, 0, sockaddr_un($ENV{NOTIFY_SOCKET}))
  }
  sleep 600`

const helpers = () =>
  Procfs.all().filter((found) => {
    const children = Procfs.isLive(found) && found.parent === process.pid
    return children && Fs.readFileSync(`/proc/${found.pid}/cmdline`, "utf8").includes("SOCK_DGRAM, 0) and bind")
  })

describe("Readiness, by real programs", { timeout: 30_000 }, () => {
  it.scopedLive("socket: ready when the program accepts connections", () =>
    Effect.gen(function*() {
      const runDir = yield* folder
      const program = `select undef, undef, undef, 0.1; socket my $s, AF_UNIX, SOCK_STREAM, 0;
        bind $s, sockaddr_un($ENV{SOCKET_PATH}); listen $s, 5; sleep 600`
      yield* Effect.gen(function*() {
        const { ready, told } = yield* wait(runDir, null, program)
        assert.match(yield* ready, /^connected to .*1\.sock$/)
        assert.match(told[0]!, /^connect (ENOENT|ECONNREFUSED) /)
      }).pipe(Effect.provide(shared(Readiness.socket, runDir)))
    }))

  it.scopedLive("notify: what the program says, until it says READY=1", () =>
    Effect.gen(function*() {
      const runDir = yield* folder
      yield* Effect.gen(function*() {
        const { ready, told } = yield* wait(
          runDir,
          null,
          say(
            "STATUS=loading \x1b[31mrules",
            "READY=0",
            "nonsense",
            "=",
            "MAINPID=1\\nERRNO=2",
            "A=b\\nREADY=1\\nC=d",
            "LATE=1"
          )
        )
        assert.strictEqual(yield* ready, "READY=1")
        assert.deepStrictEqual(told, ["waiting for READY=1", "loading [31mrules", "ERRNO=2"])
      }).pipe(Effect.scoped, Effect.provide(shared(Readiness.notify, runDir)))
      // Neither sockets nor the helper are left.
      assert.deepStrictEqual(
        Fs.readdirSync(PrivatePath.rootOf({ runDir, dataDir: runDir })).filter((name) => name.endsWith(".n")),
        []
      )
      yield* eventually(() => helpers().length === 0)
    }))

  it.scopedLive("notify: one helper hears many, and is replaced when it dies", () =>
    Effect.gen(function*() {
      const runDir = yield* folder
      yield* Effect.gen(function*() {
        const go = `${runDir}/go`
        const program = `select undef, undef, undef, 0.02 until -e "${go}"; ${say("READY=1")}`
        const waits = yield* Effect.forEach(Array.from({ length: 10 }), () => wait(runDir, null, program))
        const fibers = yield* Effect.forEach(waits, ({ ready }) => Effect.fork(ready))
        const [helper, ...more] = helpers()
        assert.isDefined(helper)
        assert.lengthOf(more, 0)
        process.kill(helper.pid, "SIGKILL")
        yield* eventually(() => helpers().some(({ pid }) => pid !== helper.pid))
        Fs.writeFileSync(go, "")
        for (const fiber of fibers) assert.strictEqual(yield* Fiber.join(fiber), "READY=1")
      }).pipe(Effect.scoped, Effect.provide(shared(Readiness.notify, runDir)))
    }))

  it.scopedLive.skipIf(!isRoot)("notify: only the run's user may speak", () =>
    Effect.gen(function*() {
      const runDir = yield* folder
      Fs.chmodSync(runDir, 0o755)
      yield* Effect.gen(function*() {
        const { env, ready } = yield* wait(runDir, "nobody", say("READY=1"))
        assert.strictEqual(yield* ready, "READY=1")
        const found = Fs.statSync(env["NOTIFY_SOCKET"]!)
        assert.strictEqual(found.mode & 0o777, 0o600)
        assert.strictEqual(found.uid, 65534)
      }).pipe(Effect.scoped, Effect.provide(shared(Readiness.notify, runDir)))
    }))

  it.scopedLive("notify: whatever its path is made of", () =>
    Effect.gen(function*() {
      const runDir = `${yield* folder}/a b\n+1 é`
      yield* Effect.gen(function*() {
        const { ready } = yield* wait(runDir, null, say("READY=1"))
        assert.strictEqual(yield* ready, "READY=1")
      }).pipe(Effect.scoped, Effect.provide(shared(Readiness.notify, runDir)))
    }))

  it.scopedLive("a wait that is interrupted ends at once", () =>
    Effect.gen(function*() {
      const runDir = yield* folder
      yield* Effect.gen(function*() {
        const { ready } = yield* wait(runDir, null, "sleep 600")
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(Effect.zipRight(Deferred.succeed(begun, undefined), ready))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.scoped, Effect.provide(shared(Readiness.notify, runDir)))
    }))
})
