import { assert, describe, it, vi } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { InstanceName } from "../../src/domain/Names.ts"
import type { LogLine } from "../../src/domain/Views.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as Logs from "../../src/layers/Logs.ts"
import { eventually, folder } from "./Harness.ts"

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const api = InstanceName.make("api:default")
const quiet = InstanceName.make("quiet:default")

const everything: Logs.LogQuery = { instances: [], tail: null, sinceMs: null, grep: null, follow: false }

/** Starts a run that prints. It is killed when the scope closes, if it still lives. */
const start = Effect.fnUntraced(
  function*(log: Logs.InstanceLog, program: ReadonlyArray<string>, options = { instance: api, incarnation: 1 }) {
    const { launch } = yield* Launcher.Launcher
    const scope = yield* Effect.scope
    return yield* Effect.scoped(Effect.gen(function*() {
      const { begun, ...descriptors } = yield* log.begin(options.incarnation)
      yield* begun
      return yield* Effect.provideService(
        launch({
          ...options,
          ...descriptors,
          argv: program,
          cwd: "/",
          env: { PATH: "/usr/bin:/bin" },
          user: null,
          group: null
        }),
        Scope.Scope,
        scope
      )
    }))
  }
)

/** A run to its end. */
const run = (...args: Parameters<typeof start>) =>
  Effect.scoped(Effect.flatMap(start(...args), (process) => process.exited))

const read = (query: Partial<Logs.LogQuery> = {}) =>
  Effect.gen(function*() {
    const logs = yield* Logs.Logs
    return Chunk.toReadonlyArray(yield* Stream.runCollect(logs.read({ ...everything, ...query })))
  })

const texts = (lines: ReadonlyArray<LogLine>, stream?: LogLine["stream"]) =>
  lines.filter((line) => stream === undefined || line.stream === stream).map(({ text }) => text)

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`)

const layers = (dataDir: string, options: Partial<Logs.LogsOptions> = {}) =>
  Layer.merge(Logs.layer({ dataDir, maxBytes: 64 * 1024 * 1024, keep: 1, ...options }), Launcher.layer)

/** Where the numbers of system calls are not known there is no relay. */
const unknownProcessor = Effect.acquireRelease(
  Effect.sync(() => Object.getOwnPropertyDescriptor(process, "arch")!).pipe(
    Effect.tap(() => Effect.sync(() => Object.defineProperty(process, "arch", { value: "other", configurable: true })))
  ),
  (arch) => Effect.sync(() => Object.defineProperty(process, "arch", arch))
)

const withLogsOf = <A, E>(
  body: (dataDir: string) => Effect.Effect<A, E, Logs.Logs | Launcher.Launcher | Scope.Scope>,
  options: Partial<Logs.LogsOptions> = {}
) => Effect.flatMap(folder, (dataDir) => Effect.provide(Effect.scoped(body(dataDir)), layers(dataDir, options)))

/** The folders of logs; what else is there is not an instance's. */
const logsIn = (dataDir: string) => Fs.readdirSync(`${dataDir}/.logs`).filter((name) => name.includes("."))

describe.each([["a relay", Effect.void], ["no relay", unknownProcessor]])("Logs with %s", (_, machine) => {
  const withLogs = <A, E>(
    body: (dataDir: string) => Effect.Effect<A, E, Logs.Logs | Launcher.Launcher | Scope.Scope>,
    options: Partial<Logs.LogsOptions> = {}
  ) => Effect.zipRight(machine, withLogsOf(body, options))

  it.scopedLive("has the last words of a run that kills itself, every byte of both streams", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        const program = `
          $| = 1; select(STDERR); $| = 1; select(STDOUT);
          for $i (1..60000) { print STDOUT "line $i\\n"; print STDERR "line $i\\n" if $i <= 30000 }
          print STDOUT "the end"; print STDERR "the error"; kill 9, $$`
        assert.deepStrictEqual(yield* run(log, ["perl", "-e", program]), { code: null, signal: "SIGKILL" })
        const lines = yield* read()
        assert.deepStrictEqual(texts(lines, "stdout"), [...numbered(1, 60_000), "the end"])
        assert.deepStrictEqual(texts(lines, "stderr"), [...numbered(1, 30_000), "the error"])
      })
    ))

  it.scopedLive("has the line of a run that is over at once", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const log = yield* logs.open(api)
        for (let incarnation = 1; incarnation <= 5; incarnation++) {
          yield* run(log, ["/bin/echo", `${incarnation}`], { instance: api, incarnation })
          const [last] = yield* logs.last(api, 1)
          assert.deepInclude(last, { text: `${incarnation}`, incarnation, stream: "stdout", truncated: false })
        }
      })
    ))

  it.scopedLive("ends an unfinished line with its run, and tags what each run said as its own", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        yield* run(log, ["printf", "one\\nunfinished"], { instance: api, incarnation: 1 })
        assert.deepStrictEqual(texts(yield* read()), ["one", "unfinished"])
        yield* run(log, ["printf", " business\\n"], { instance: api, incarnation: 2 })
        yield* log.end
        const lines = (yield* read()).map(({ incarnation, text }) => [incarnation, text])
        assert.deepStrictEqual(lines, [[1, "one"], [1, "unfinished"], [2, " business"]])
      })
    ))

  it.scopedLive.prop(
    "keeps bytes of any kind, whatever the pieces they are written in",
    [FC.array(FC.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 6 })],
    ([pieces]) =>
      withLogs((dataDir) =>
        Effect.gen(function*() {
          const log = yield* (yield* Logs.Logs).open(api)
          yield* Effect.scoped(Effect.flatMap(log.begin(1), ({ begun, stdout }) =>
            Effect.map(begun, () => {
              for (const piece of pieces) Fs.writeSync(stdout, piece)
            })))
          yield* log.end
          yield* read()
          const file = Path.join(dataDir, ".logs/api.default/00000001.log")
          const written = Fs.existsSync(file) ? Fs.readFileSync(file) : Buffer.alloc(0)
          const restored: Array<Buffer> = []
          for (let start = 0; start < written.length;) {
            const end = written.indexOf("\n", start)
            const [, , , mark = "", seq = ""] = written.toString("latin1", start, end).split(" ", 5)
            const text = start + `2026-01-02T03:04:05.678Z stdout 1 F ${seq} `.length
            if (!"BC".includes(mark)) restored.push(written.subarray(text, mark === "F" ? end + 1 : end))
            start = end + 1
          }
          assert.isTrue(Buffer.concat(restored).equals(Buffer.concat(pieces)))
        })
      ),
    { fastCheck: { numRuns: 30 } }
  )

  it.scopedLive("bears a flood: bounded on disk, the newest kept, the quiet one not delayed", () => {
    let rotated = 0
    return withLogs((dataDir) =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const loud = yield* logs.open(api)
        const still = yield* logs.open(quiet)
        const program = "for ($i = 1; ; $i++) { print \"line $i\\n\" }"
        const flood = yield* start(loud, ["perl", "-e", program])
        const follower = yield* Effect.fork(Stream.runCollect(
          Stream.take(logs.read({ ...everything, instances: [quiet], follow: true }), 20)
        ))
        for (let i = 1; i <= 20; i++) {
          yield* run(still, ["/bin/echo", `line ${i}`], { instance: quiet, incarnation: i })
          yield* Effect.sleep("5 millis")
        }
        assert.deepStrictEqual(texts(Chunk.toReadonlyArray(yield* Fiber.join(follower))), numbered(1, 20))
        yield* flood.killTree
        yield* flood.exited
        yield* loud.end
        const [remark, ...kept] = yield* read({ instances: [api] })
        const [first, ...rest] = texts(kept).map((text) => Number(text.slice(5)))
        assert.strictEqual(remark?.lost, (first ?? 0) - 1)
        assert.strictEqual(rotated, remark?.lost)
        assert.deepStrictEqual(rest.slice(0, -1), rest.slice(0, -1).map((_, i) => (first ?? 0) + i + 1))
        const directory = Path.join(dataDir, ".logs/api.default")
        const used = Fs.readdirSync(directory).reduce(
          (sum, name) => sum + Fs.statSync(Path.join(directory, name)).size,
          0
        )
        assert.isAtMost(used, 3 * 100_000)
      }), {
      maxBytes: 100_000,
      keep: 2,
      onLost: (instance, reason, lines) =>
        Effect.sync(() => {
          assert.deepStrictEqual([instance, reason], [api, "rotated"])
          rotated += lines
        })
    })
  })
})

describe("Logs", () => {
  const withLogs = withLogsOf

  it.scopedLive("loses nothing when the relay is killed, and goes on with another", () =>
    withLogs((dataDir) =>
      Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        const claim = `${dataDir}/.logs/relay`
        const relay = () => Fs.existsSync(claim) ? Number(Fs.readFileSync(claim, "latin1").split(" ")[0]) : 0
        const program = "$| = 1; for $i (1..1500) { print \"line $i\\n\"; select(undef, undef, undef, 0.001) }"
        const printing = yield* start(log, ["perl", "-e", program])
        for (let kills = 0; kills < 3; kills++) {
          const pid = relay()
          process.kill(pid, "SIGKILL")
          yield* eventually(() => ![0, pid].includes(relay()))
        }
        yield* printing.exited
        yield* log.end
        assert.deepStrictEqual([...new Set(texts(yield* read()))], numbered(1, 1500))
      })
    ))

  it.scopedLive("is not held up by who reads its own output", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const log = yield* logs.open(api)
        const other = yield* logs.open(quiet)
        const program = `
          $| = 1; open(my $own, "<&=", 1); print "ready\\n";
          while (1) { print "x" x 3000; sysread($own, my $stolen, 4096) }`
        yield* start(log, ["perl", "-e", program])
        yield* run(other, ["perl", "-e", "$| = 1; for $i (1..2000) { print \"line $i\\n\" }"], {
          instance: quiet,
          incarnation: 1
        })
        yield* other.end
        assert.deepStrictEqual(texts(yield* read({ instances: [quiet] })), numbered(1, 2000))
      })
    ))

  it.scopedLive("is left in the midst of lines, and gone on with by who comes next", () =>
    Effect.gen(function*() {
      const dataDir = yield* folder
      const go = Path.join(dataDir, "go")
      const program = `
        $| = 1; print "before\\nbegun "; print STDERR "also begun ";
        select(undef, undef, undef, 0.01) until -e "${go}"; print "ended\\n"`
      yield* Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        const process = yield* start(log, ["perl", "-e", program])
        const said = Stream.takeUntil(
          Stream.repeatEffectWithSchedule(Effect.map(read(), (lines) => texts(lines)), Schedule.spaced("10 millis")),
          ({ length }) => length === 3
        )
        yield* Stream.runDrain(said)
        yield* log.leave
        yield* Effect.gen(function*() {
          const next = yield* (yield* Logs.Logs).open(api)
          yield* next.resume(1)
          Fs.writeFileSync(go, "")
          yield* process.exited
          yield* next.end
          const lines = yield* read()
          assert.deepStrictEqual(texts(lines, "stdout"), ["before", "begun ended"])
          assert.deepStrictEqual(texts(lines, "stderr"), ["also begun "])
          assert.deepStrictEqual(lines.map(({ seq }) => seq), [1, 2, 3])
        }).pipe(Effect.scoped, Effect.provide(layers(dataDir)))
      }).pipe(Effect.scoped, Effect.provide(layers(dataDir)))
    }))

  it.scopedLive("follows one and all, past and to come, over rotations, each line once", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const log = yield* logs.open(api)
        yield* run(log, ["seq", "-f", "line %g", "1", "100"])
        // Done when the follower has its first line, and so its place.
        const follow = Effect.fnUntraced(function*(query: Partial<Logs.LogQuery>, count: number) {
          const begun = yield* Deferred.make<void>()
          const lines = Stream.take(logs.read({ ...everything, follow: true, ...query }), count)
          const fiber = yield* Effect.fork(
            Stream.runCollect(Stream.tap(lines, () => Deferred.succeed(begun, undefined)))
          )
          yield* Deferred.await(begun)
          return Effect.map(Fiber.join(fiber), (lines) => texts(Chunk.toReadonlyArray(lines)))
        })
        const all = yield* follow({}, 600)
        const some = yield* follow({ instances: [api], tail: 10, grep: /[05]$/ }, 110)
        const later = yield* logs.open(quiet)
        yield* run(log, ["seq", "-f", "line %g", "101", "500"], { instance: api, incarnation: 2 })
        yield* run(later, ["seq", "-f", "late %g", "1", "100"], { instance: quiet, incarnation: 1 })
        const seen = yield* all
        assert.deepStrictEqual(seen.filter((text) => text.startsWith("line")), numbered(1, 500))
        assert.lengthOf(new Set(seen), 600)
        yield* run(log, ["seq", "-f", "line %g", "501", "600"], { instance: api, incarnation: 3 })
        const grepped = numbered(1, 600).filter((text) => /[05]$/.test(text)).slice(10, 120)
        assert.deepStrictEqual(yield* some, grepped)
      }), { maxBytes: 4000, keep: 100 }))

  it.scopedLive("gives the newest of several, by time, and since when", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const [a, b] = [yield* logs.open(api), yield* logs.open(quiet)]
        for (let i = 1; i <= 10; i++) {
          yield* run(i % 2 === 0 ? a : b, ["/bin/echo", `${i}`])
          yield* read()
          yield* Effect.sleep("2 millis")
        }
        assert.deepStrictEqual(texts(yield* read({ tail: 3 })), ["8", "9", "10"])
        assert.deepStrictEqual(texts(yield* read({ tail: 2, grep: /[1-4]/ })), ["4", "10"])
        const lines = yield* read()
        assert.deepStrictEqual(texts(lines), Array.from({ length: 10 }, (_, i) => `${i + 1}`))
        const since = Date.parse(lines[6]?.at ?? "")
        assert.deepStrictEqual(texts(yield* read({ sinceMs: since })), ["7", "8", "9", "10"])
        assert.deepStrictEqual(texts(yield* read({ sinceMs: 1e300 })), [])
        assert.deepStrictEqual(texts(yield* read({ sinceMs: -1, tail: 0 })), [])
        assert.deepStrictEqual(texts(yield* logs.last(api, 2)), ["8", "10"])
      })
    ))

  it.scopedLive("stops a pattern that would keep everything waiting", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        yield* run(log, ["/bin/echo", "a".repeat(200)])
        const result = yield* Effect.either(read({ grep: /(a+)+[b]/ }))
        assert.isTrue(Either.isLeft(result))
        if (Either.isLeft(result)) assert.match(result.left.message, /takes too long/)
        assert.lengthOf(yield* read({ grep: /a+/ }), 1)
      })
    ))

  it.scopedLive("keeps logs to itself, and forgets those of an instance that is gone", () =>
    withLogs((dataDir) =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        yield* Effect.scoped(Effect.flatMap(logs.open(api), (log) => run(log, ["/bin/echo", "text"])))
        const directory = Path.join(dataDir, ".logs/api.default")
        for (let path = directory; path !== dataDir; path = Path.dirname(path)) {
          assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o700)
        }
        assert.deepStrictEqual(texts(yield* logs.last(api, 1)), ["text"])
        yield* logs.forget(api)
        assert.deepStrictEqual(Fs.readdirSync(directory), ["00000001.log"])
        assert.deepStrictEqual(texts(yield* logs.last(api, 1)), ["text"])
        yield* logs.remove(api)
        assert.deepStrictEqual(logsIn(dataDir), [])
        yield* Effect.scoped(logs.open(api))
        yield* logs.forget(api)
        assert.deepStrictEqual(logsIn(dataDir), [])
        assert.deepStrictEqual(yield* logs.last(api, 1), [])
        assert.deepStrictEqual(yield* read(), [])
        yield* logs.remove(api)
        const log = yield* logs.open(api)
        yield* run(log, ["/bin/echo", "again"])
        assert.deepStrictEqual(texts(yield* logs.last(api, 2)), ["again"])
      })
    ))

  it.scopedLive("tells no half of a line that a supervisor was writing when it was killed", () =>
    withLogs((dataDir) =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        yield* Effect.scoped(Effect.flatMap(logs.open(api), (log) => run(log, ["/bin/echo", "one"])))
        const file = Path.join(dataDir, ".logs/api.default/00000001.log")
        Fs.appendFileSync(file, "2026-01-02T03:04:05.678Z stdout 1 F 2 so")
        const log = yield* logs.open(api)
        yield* run(log, ["/bin/echo", "two"])
        const lines = yield* read()
        assert.deepStrictEqual(lines.map(({ seq, text }) => [seq, text]), [[1, "one"], [2, "two"]])
      })
    ))

  it.scopedLive("lets a program open its standard output again", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const log = yield* (yield* Logs.Logs).open(api)
        yield* run(log, ["sh", "-c", "echo one > /dev/stdout; echo two >> /dev/stderr"])
        assert.sameMembers(texts(yield* read()), ["one", "two"])
      })
    ))

  it.scopedLive("opens many at once, and leaves no descriptor behind", () =>
    withLogs(() =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const descriptors = () => Fs.readdirSync("/proc/self/fd").length
        const before = descriptors()
        yield* Effect.scoped(Effect.gen(function*() {
          const names = Array.from({ length: 100 }, (_, i) => InstanceName.make(`many:${i}`))
          const opened = yield* Effect.forEach(names, logs.open, { concurrency: "unbounded" })
          yield* Effect.forEach(
            opened,
            (log, i) =>
              Effect.scoped(Effect.flatMap(log.begin(1), ({ begun, stdout }) =>
                Effect.map(begun, () =>
                  Fs.writeSync(stdout, `${i}\n`)))),
            { discard: true }
          )
          assert.lengthOf(yield* read(), 100)
          assert.isAtMost(descriptors() - before, 3 * 100)
        }))
        yield* eventually(() =>
          descriptors() <= before
        )
      })
    ))

  it.scopedLive("refuses what is no FIFO, and leaves no descriptor behind", () =>
    withLogs((dataDir) =>
      Effect.gen(function*() {
        const logs = yield* Logs.Logs
        const directory = Path.join(dataDir, ".logs/api.default")
        Fs.mkdirSync(directory, { recursive: true })
        Fs.writeFileSync(Path.join(directory, "stderr"), "")
        const before = Fs.readdirSync("/proc/self/fd").length
        const error = yield* Effect.flip(Effect.scoped(logs.open(api)))
        assert.strictEqual(error.code, "EEXIST")
        yield* Effect.yieldNow()
        yield* eventually(() => Fs.readdirSync("/proc/self/fd").length <= before)
      })
    ))
})
