import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fs from "node:fs"
import * as net from "node:net"
import { eventually } from "./Eventually.ts"
import { front, upstream, versioned } from "./Front.ts"
import type * as Fx from "./Fx.ts"
import type * as Http from "./Http.ts"
import type { Machine } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const patient = { timeout: 120_000 }

/** The ids of all POSTs that an instance has got. */
const posted = ({ dataDir }: Machine, name: string): ReadonlyArray<string> => {
  const file = `${dataDir}/${name.replace(":", "/")}/posted`
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : []
}

const arrived = (machine: Machine, name: string, id: string) =>
  eventually(`${id} has arrived`, Effect.sync(() => posted(machine, name)), (ids) => ids.includes(id))

const pidOf = ({ json }: Http.Answer) => (json as { readonly pid: number }).pid

const causesOf = (machine: Machine, name: string) =>
  Effect.map(machine.describe(name), ({ history }) => history.map(({ cause }) => cause))

const started = (services: Readonly<Record<string, Fx.Table>>) =>
  Effect.gen(function*() {
    const { ask, machine, port } = yield* front({ service: services })
    yield* eventually("all run", machine.list, (all) => all.length > 0 && all.every(({ state }) => state === "running"))
    const post = (name: string, path: string) => ask(`${name}.example.test`, path, { method: "POST", raw: "x" })
    return { ask, machine, port, post }
  })

describe("a planned end of an instance", () => {
  it.scopedLive(
    "comes after the requests that it has, and gives those that follow to the next run",
    () =>
      Effect.gen(function*() {
        const { ask, machine, port, post } = yield* started({ web: versioned() })
        const before = yield* machine.view("web")
        const slow = yield* Effect.fork(post("web", "/slow?1500"))
        yield* arrived(machine, "web:default", "1500")
        const restarting = yield* Effect.fork(machine.ask("restart", "web"))
        yield* machine.until("web", "stopping")
        // It leaves while it waits, and is nobody's.
        const gone = yield* Effect.async<net.Socket>((resume) => {
          const socket = net.connect(port, "127.0.0.1")
          const head = "POST /?gone HTTP/1.1\r\nHost: web.example.test\r\nContent-Length: 0\r\n\r\n"
          socket.write(head, () => resume(Effect.succeed(socket)))
        })
        // What comes later has been read, so that has been, too.
        yield* machine.view("web")
        const next = yield* Effect.fork(ask("web.example.test", "/"))
        gone.destroy()
        assert.strictEqual(pidOf(yield* Fiber.join(slow)), before.pid)
        assert.strictEqual((yield* Fiber.join(restarting)).status, 200)
        const after = yield* machine.view("web")
        assert.notStrictEqual(after.pid, before.pid)
        assert.strictEqual(pidOf(yield* Fiber.join(next)), after.pid)
        assert.notInclude(posted(machine, "web:default"), "gone")
        yield* eventually(
          "who left is counted",
          machine.api("/metrics"),
          ({ text }) => text.includes("tenement_errors_total{service=\"web\",kind=\"client-left\"} 1")
        )
        const drained = (yield* causesOf(machine, "web")).find(({ _tag }) => _tag === "Drained")
        assert.deepInclude({ ...drained }, { incarnation: 1, left: 0 })

        const last = yield* Effect.fork(post("web", "/slow?700"))
        yield* arrived(machine, "web:default", "700")
        const stopping = yield* Effect.fork(machine.stop("web"))
        yield* machine.until("web", "stopping")
        const refused = yield* ask("web.example.test", "/")
        assert.strictEqual(refused.status, 503)
        assert.strictEqual(pidOf(yield* Fiber.join(last)), after.pid)
        yield* Fiber.join(stopping)
        assert.strictEqual((yield* machine.view("web")).state, "stopped")
      }),
    patient
  )

  it.scopedLive(
    "waits no longer than drain_timeout, and for nothing where nothing is open, nor for a tunnel",
    () =>
      Effect.gen(function*() {
        const { machine, port, post } = yield* started({
          web: versioned({ drain_timeout: "300 millis" }),
          tunnel: upstream({ drain_timeout: "100 seconds" })
        })
        const late = yield* Effect.fork(post("web", "/slow?60000"))
        yield* arrived(machine, "web:default", "60000")
        assert.strictEqual((yield* machine.ask("restart", "web")).status, 200)
        const { status, text } = yield* Fiber.join(late)
        assert.strictEqual(status, 504, text)
        assert.include(text, "drain_timeout was over")
        assert.deepStrictEqual(posted(machine, "web:default"), ["60000"], "it is not sent again")
        const drained = (yield* causesOf(machine, "web")).filter(({ _tag }) => _tag === "Drained")
        assert.lengthOf(drained, 1)
        assert.deepInclude({ ...drained[0] }, { left: 1 })
        assert.strictEqual((yield* machine.ask("restart", "web")).status, 200)
        assert.lengthOf((yield* causesOf(machine, "web")).filter(({ _tag }) => _tag === "Drained"), 1)

        const closed = yield* Effect.async<Effect.Effect<void>>((resume) => {
          const socket = net.connect(port, "127.0.0.1")
          const over = Effect.async<void>((done) =>
            void (socket.closed ? done(Effect.void) : socket.once("close", () => done(Effect.void)))
          )
          socket.on("error", () => undefined).once("data", () => resume(Effect.succeed(over))).resume()
          socket.write(
            "GET / HTTP/1.1\r\nHost: tunnel.example.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
          )
        })
        assert.strictEqual((yield* machine.ask("restart", "tunnel")).status, 200)
        yield* closed
        assert.notInclude((yield* causesOf(machine, "tunnel")).map(({ _tag }) => _tag), "Drained")
      }),
    patient
  )

  it.scopedLive(
    "that another supervisor takes over comes after the requests that the one before has, or when their time is over",
    () =>
      Effect.gen(function*() {
        const { ask, machine, post } = yield* started({
          web: versioned({ drain_timeout: "60 seconds" }),
          hasty: versioned({ drain_timeout: "8 seconds" })
        })
        const before = yield* machine.view("web")
        const slow = yield* Effect.fork(post("web", "/slow?8000"))
        const late = yield* Effect.fork(post("hasty", "/slow?60000"))
        yield* arrived(machine, "web:default", "8000")
        yield* arrived(machine, "hasty:default", "60000")
        for (const name of ["web", "hasty"]) {
          yield* Effect.fork(Effect.either(machine.ask("restart", name)))
          yield* machine.until(name, "stopping")
        }
        const next = yield* machine.upgrade()
        assert.strictEqual(pidOf(yield* Fiber.join(slow)), before.pid)
        const { status } = yield* Fiber.join(late)
        // 504 from the supervisor that waits for it; if that is the other one by then, all that is seen is its end.
        assert.include([502, 504], status)
        for (const [name, left] of [["web", 0], ["hasty", 1]] as const) {
          const { pid } = yield* next.until(name, "running")
          assert.strictEqual(pidOf(yield* ask(`${name}.example.test`, "/")), pid)
          const drained = (yield* causesOf(next, name)).filter(({ _tag }) => _tag === "Drained")
          assert.lengthOf(drained, 1)
          assert.deepInclude({ ...drained[0] }, { left })
        }
        assert.deepStrictEqual(posted(next, "hasty:default"), ["60000"], "it is not sent again")
      }),
    patient
  )
})

describe("a crash", () => {
  it.scopedLive("fails no request but those that its instance had, and repeats no POST", () =>
    Effect.gen(function*() {
      const { machine, post } = yield* started({ web: versioned({ instances: ["a", "b"], backoff_base_ms: 10 }) })
      const failures: Array<string> = []
      let next = 0
      let isOver = false
      const client = Effect.iterate(0, {
        while: () => !isOver,
        body: (count) =>
          Effect.map(post("web", `/slow?20,${next++}`), ({ status, text }) => {
            if (status !== 200) failures.push(`${status} ${text}`)
            return count + 1
          })
      })
      const clients = 8
      const load = yield* Effect.fork(
        Effect.forEach(Array.from({ length: clients }), () => client, { concurrency: "unbounded" })
      )
      for (let crashes = 1; crashes <= 3; crashes++) {
        const { pid } = yield* machine.view("web:a")
        process.kill(pid!, "SIGKILL")
        yield* machine.until("web:a", (view) => view.restarts === crashes && view.state === "running")
      }
      isOver = true
      const counts = yield* Fiber.join(load)
      for (const failure of failures) assert.match(failure, /^502 .*closed the connection before it answered/)
      assert.isAtMost(failures.length, 3 * clients)
      const all = [...posted(machine, "web:a"), ...posted(machine, "web:b")]
      assert.strictEqual(new Set(all).size, all.length, "no POST came twice")
      assert.isAbove(counts.reduce((sum, count) => sum + count, 0), failures.length)
      const runs = Proc.withArgument(machine.dataDir).filter((pid) =>
        Proc.commandLine(pid).some((word) => word.endsWith("versioned.mjs"))
      )
      assert.lengthOf(runs, 2)
    }), patient)
})
