import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type InstanceView, type Machine, make, type Mortal } from "./Machine.ts"
import * as Proc from "./Proc.ts"

/** What of an instance must be the same before and after. */
const lasting = ({ lastExit, name, nextStartAt, pid, restarts, startedAt, state }: InstanceView) => ({
  lastExit,
  name,
  nextStartAt,
  pid,
  restarts,
  startedAt,
  state
})

const identities = (views: ReadonlyArray<InstanceView>) =>
  views.flatMap(({ pid }) => pid === null ? [] : [Proc.identity(pid)])

const restartsOf = (machine: Machine) =>
  Effect.map(
    machine.api("/metrics"),
    ({ text }) => text.split("\n").filter((line) => line.startsWith("tenement_instance_restarts_total{")).sort()
  )

/** A port that nobody has at the moment. */
const freePort = Effect.async<number>((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Prints a number every millisecond, in two writes now and then, and then stays. */
const counting = (upTo: number): Fx.Table => ({
  command: "perl",
  args: [
    "-e",
    `$| = 1; for (1 .. ${upTo}) { print $_; select undef, undef, undef, 0.002 if $_ % 7 == 0; print "\\n" or die;` +
    ` select undef, undef, undef, 0.001 } open F, ">$ARGV[0]"; sleep`,
    "{instance_dir}/done"
  ],
  isolation: "process"
})

const kept = (text: string) => text.split("\n").slice(0, -1).map((line) => Number(line.split(" ").at(-1)))

const numbersOf = (machine: Machine) => Effect.map(machine.cli("logs", "count", "--raw"), ({ stdout }) => kept(stdout))

/** Asks again and again until it is ended; gives how often, and every answer that was not 200. */
const asking = (ask: Effect.Effect<number, unknown>) =>
  Effect.gen(function*() {
    const count = yield* Ref.make(0)
    const wrong: Array<string> = []
    const stop = yield* Ref.make(false)
    const loop = ask.pipe(
      Effect.either,
      Effect.tap((answer) =>
        Effect.sync(() => {
          if (Either.isLeft(answer)) wrong.push(String(answer.left))
          else if (answer.right !== 200) wrong.push(`status ${answer.right}`)
        })
      ),
      Effect.zipRight(Ref.update(count, (n) => n + 1)),
      Effect.zipRight(Effect.yieldNow()),
      Effect.zipRight(Ref.get(stop))
    )
    const fiber = yield* Effect.forkScoped(Effect.repeat(loop, { until: (stopped) => stopped }))
    return {
      asked: Ref.get(count),
      end: Effect.zipRight(Ref.set(stop, true), Effect.as(Fiber.join(fiber), wrong))
    }
  })

const statusOf = (to: string | number, path: string, headers: http.OutgoingHttpHeaders = {}) =>
  Effect.map(Http.request(to, path, { headers }), ({ status }) => status)

/** The same over connections that are kept. */
const keptAlive = (port: number, path: string, headers: http.OutgoingHttpHeaders) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new http.Agent({ keepAlive: true, maxSockets: 4 })),
      (agent) => Effect.sync(() => agent.destroy())
    ),
    (agent) =>
      Effect.async<number, Error>((resume) => {
        const request = http.get({ agent, host: "127.0.0.1", port, path, headers }, (response) => {
          response.resume()
          response.once("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
          response.once("error", (error) => resume(Effect.fail(error)))
        })
        request.once("error", (error) => resume(Effect.fail(error)))
      })
  )

const web = { socket: "{data_dir}/{name}-{id}.sock", health: "/health", health_interval: "200 millis" }

/** What answers to the name of a program to be started instead. */
const program = (root: string, text: string): string => {
  const file = `${root}/other.mjs`
  fs.writeFileSync(file, text)
  return file
}

describe("an upgrade", () => {
  it.scopedLive("restarts nothing, refuses no request and loses no line", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const lines = 6000
      const slow = { backoff_base_ms: 600_000, backoff_max_ms: 600_000, backoff_jitter: 0 }
      const machine = yield* make({
        settings: { listen: `127.0.0.1:${port}` },
        service: {
          web: Fx.service({ ...web, instances: ["a", "b", "c"] }, "serve=200"),
          apart: Fx.service({ ...web, isolation: "namespace", instances: ["a", "b"] }, "serve=200"),
          sick: Fx.service({ ...web, ...Fx.eager, stable_after: 600 }, "die=KILL", "exit=3", "serve=200"),
          told: Fx.service({ readiness: "notify", startup_timeout: 600 }, "await=tell notify"),
          waiting: Fx.service({ ...slow }, "exit=3"),
          failed: Fx.service({ max_restarts: 0 }, "exit=3"),
          stopped: Fx.service({}, ""),
          starting: Fx.service({ ...web, startup_timeout: 600 }, "await=go serve=200"),
          done: Fx.service({}, "exit=0"),
          count: counting(lines)
        }
      }, { extraDescriptors: 1 })
      for (const name of ["web:a", "web:b", "web:c", "apart:a", "apart:b", "sick"]) {
        yield* machine.until(name, "healthy")
      }
      yield* machine.until("waiting", ({ nextStartAt, state }) => state === "backoff" && nextStartAt !== null)
      yield* machine.until("failed", "failed")
      yield* machine.until("done", "completed")
      yield* machine.untilUp("stopped")
      yield* machine.stop("stopped")
      for (const name of ["starting", "told"]) {
        yield* machine.untilTruth("it is there", name, (all) => all.length > 0)
      }
      const before = yield* machine.list
      const counts = yield* restartsOf(machine)
      const processes = identities(before)
      assert.isAtLeast(processes.length, 9)

      const host = { host: "web.localhost" }
      const loops = yield* Effect.all([
        asking(statusOf(port, "/", host)),
        asking(statusOf(machine.socket, "/api/instances")),
        Effect.flatMap(keptAlive(port, "/", host), asking),
        Effect.flatMap(keptAlive(port, "/health", {}), asking)
      ])
      const asked = Effect.forEach(loops, ({ asked }) => asked)
      const served = (from: ReadonlyArray<number>) => (now: ReadonlyArray<number>) =>
        now.every((count, index) => count > from[index]! + 20)
      yield* eventually("requests are answered", asked, served([0, 0, 0, 0]))

      let current: Mortal = machine
      for (let round = 1; round <= 2; round++) {
        const next = yield* current.upgrade()
        yield* eventually("requests are answered", asked, served(yield* asked))
        yield* next.until("web:a", "healthy")
        assert.deepStrictEqual((yield* next.list).map(lasting), before.map(lasting))
        assert.deepStrictEqual(identities(yield* next.list), processes, "they are the same processes")
        assert.deepStrictEqual(yield* restartsOf(next), counts)
        current = next
      }
      assert.deepStrictEqual(yield* Effect.forEach(loops, ({ end }) => end), [[], [], [], []])

      // What happens from now on is noticed as ever.
      yield* current.touch("go")
      yield* current.touch("tell")
      yield* current.until("starting", "healthy")
      yield* current.until("told", "running")
      assert.include(
        JSON.stringify((yield* current.describe("sick")).history),
        "BackoffElapsed",
        "what led here is told"
      )
      yield* eventually(
        "it is through",
        Effect.sync(() => fs.existsSync(`${current.dataDir}/count/default/done`)),
        Boolean,
        "60 seconds"
      )
      const numbers = yield* eventually("all is read", numbersOf(current), (all) => all.at(-1) === lines)
      assert.deepStrictEqual(numbers, Array.from({ length: lines }, (_, index) => index + 1))
    }), 180_000)

  it.scopedLive("that does not come up leaves the old supervisor in charge, untouched", () =>
    Effect.gen(function*() {
      const file = { service: { web: Fx.service(web, "serve=200") } }
      const machine = yield* make(file)
      yield* machine.until("web", "healthy")
      const before = yield* machine.list
      const refused = (reason: RegExp, ...words: ReadonlyArray<string>) =>
        Effect.gen(function*() {
          const { code, stderr } = yield* machine.cli("upgrade", ...words)
          assert.strictEqual(code, 1, stderr)
          assert.match(stderr, /the supervisor goes on as it was/)
          assert.match(stderr, reason)
          const { json } = yield* machine.api("/health")
          assert.strictEqual((json as { readonly pid: number }).pid, machine.supervisor.pid)
          assert.deepStrictEqual((yield* machine.list).map(lasting), before.map(lasting))
          assert.deepStrictEqual(
            Proc.withArgument(machine.root).filter((pid) => Proc.commandLine(pid).includes("serve")),
            [machine.supervisor.pid],
            "no other is left"
          )
        })
      yield* machine.write("[service.web\n")
      yield* refused(/tenement\.toml:1/)
      yield* machine.write({ ...file, settings: { data_dir: `${machine.root}/elsewhere` } })
      yield* refused(/settings\.data_dir: a change here needs a restart/)
      yield* machine.write(file)
      yield* refused(/exit code 3/, "--program", program(machine.root, "process.exit(3)"))
      yield* refused(
        /was not ready within 1 s/,
        "--program",
        program(machine.root, "setInterval(() => {}, 1000)"),
        "--timeout",
        "1"
      )
      yield* refused(/no supervisor that can take over/, "--program", program(machine.root, "process.send(1)"))
      yield* refused(/cannot be started \(ENOENT\)/, "--program", `${machine.root}/nothing`)
      const next = yield* machine.upgrade()
      assert.deepStrictEqual(identities(yield* next.list), identities(before))
    }), 120_000)

  it.scopedLive("is one at a time", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service(web, "serve=200") } })
      yield* machine.until("web", "healthy")
      const before = identities(yield* machine.list)
      const all = yield* Effect.all([1, 2, 3].map(() => machine.cli("upgrade")), { concurrency: "unbounded" })
      const done = all.filter(({ code }) => code === 0)
      assert.isAtLeast(done.length, 1)
      for (const { code, stderr } of all) if (code !== 0) assert.match(stderr, /it is being replaced already/)
      const next = yield* machine.succeeded
      yield* eventually("the old one is gone", Effect.sync(() => Proc.isAlive(machine.supervisor.pid)), (is) => !is)
      assert.deepStrictEqual(identities(yield* next.list), before)
    }), 120_000)
})

describe("serve --handover", () => {
  it.scopedLive(
    "serves where nobody does, and else takes the place of who does, which may also leave by itself",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service: { web: Fx.service(web, "serve=200"), count: counting(2000) } })
        yield* machine.until("web", "healthy")
        const before = identities(yield* machine.list)
        const next = yield* machine.followedBy("--handover")
        assert.deepStrictEqual(yield* machine.supervisor.exited, { code: 0, signal: null })
        assert.deepStrictEqual(identities(yield* next.list), before)
        yield* next.supervisor.signal("SIGUSR2")
        yield* next.supervisor.exited
        assert.isTrue(before.every((identity) => Proc.isAlive(Number(identity.split("@")[0]))), "they go on")
        assert.isFalse(fs.existsSync(machine.socket), "nobody can be asked")
        const last = yield* next.followedBy("--handover")
        assert.deepStrictEqual(identities(yield* last.list), before)
        yield* eventually("all is read", numbersOf(last), (all) => all.at(-1) === 2000)
        assert.deepStrictEqual(yield* numbersOf(last), Array.from({ length: 2000 }, (_, index) => index + 1))
      }),
    120_000
  )
})
