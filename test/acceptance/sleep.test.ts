import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as net from "node:net"
import { eventually } from "./Eventually.ts"
import { front, settings, upstream } from "./Front.ts"
import type { Machine } from "./Machine.ts"
import * as Proc from "./Proc.ts"

const patient = { timeout: 120_000 }
const drowsy = { idle_timeout: 0.3 }

const incarnation = (machine: Machine, name: string) =>
  Effect.map(machine.describe(name), ({ incarnation }) => incarnation)

/** A connection that says this and stays open. */
const held = (to: net.NetConnectOpts, bytes: string) =>
  Effect.gen(function*() {
    let text = ""
    const socket = yield* Effect.acquireRelease(
      Effect.async<net.Socket>((resume) => {
        const socket = net.connect(to, () => resume(Effect.succeed(socket)))
        socket.on("error", () => undefined).on("data", (chunk) => text += chunk.toString("latin1"))
        socket.write(bytes)
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
    return { socket, until: (what: string) => eventually(what, Effect.sync(() => text), (all) => all.includes(what)) }
  })

const get = (host: string, path: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}.example.test\r\n${more}\r\n`

describe("an instance that nobody uses", () => {
  it.scopedLive("sleeps, and the next request wakes it", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* front({ service: { web: upstream(drowsy) } })
      const asleep = yield* machine.until("web", "sleeping")
      assert.strictEqual(asleep.pid, null)
      assert.strictEqual(asleep.lastExit?.reason, "stopped")
      const answer = yield* ask("web.example.test", "/head")
      assert.strictEqual(answer.status, 200)
      const { history, incarnation, instance } = yield* machine.describe("web")
      assert.strictEqual(instance.restarts, 0)
      assert.isAtLeast(incarnation, 2)
      const causes = history.map(({ cause }) => cause._tag)
      assert.includeMembers(causes, ["Idle", "Request"])
      const { text } = yield* machine.api("/metrics")
      assert.match(text, /^tenement_wakes_total\{service="web",instance="web:default"\} 1$/m)
      assert.match(text, /^tenement_wake_seconds_count\{service="web"\} 1$/m)
    }), patient)

  it.scopedLive("is started once, however many wake it, and all get their answers", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* front({ service: { web: upstream({ idle_timeout: 2 }) } })
      yield* machine.until("web", "sleeping")
      const answers = yield* Effect.forEach(
        Array.from({ length: 500 }),
        (_, index) =>
          ask("web.example.test", "/echo", {
            method: index % 2 === 0 ? "GET" : "POST",
            ...(index % 2 === 0 ? {} : { raw: `${index}` })
          }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...new Set(answers.map(({ status }) => status))], [200])
      assert.strictEqual(answers[7]?.text, "7")
      assert.strictEqual(yield* incarnation(machine, "web"), 2)
    }), patient)

  it.scopedLive("is one that has no stream, no tunnel, and no connection of its own", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* front({
        service: {
          stream: upstream({ idle_timeout: 2 }),
          tunnel: upstream({ idle_timeout: 2 }),
          direct: upstream({ idle_timeout: 2 }),
          clock: upstream({ idle_timeout: 3 })
        }
      })
      const names = ["stream", "tunnel", "direct"]
      const to = { port, host: "127.0.0.1" }
      yield* Effect.forEach(names, (name) => ask(`${name}.example.test`, "/head"), { concurrency: 3 })
      const stream = yield* held(to, get("stream", "/wait"))
      const tunnel = yield* held(to, get("tunnel", "/", "Connection: Upgrade\r\nUpgrade: echo\r\n"))
      const { socket } = yield* machine.view("direct")
      const direct = yield* held({ path: socket! }, get("direct", "/wait"))
      yield* stream.until("data: 1")
      yield* tunnel.until("hello")
      yield* direct.until("data: 1")
      const before = yield* Effect.forEach(names, (name) => incarnation(machine, name))
      for (const _ of [1, 2]) {
        yield* ask("clock.example.test", "/head")
        yield* machine.until("clock", "sleeping")
      }
      assert.deepStrictEqual(yield* Effect.forEach(names, (name) => incarnation(machine, name)), before)
      for (const { socket } of [stream, tunnel, direct]) socket.destroy()
      for (const name of names) yield* machine.until(name, "sleeping")
    }), patient)

  it.scopedLive(
    "sleeps on when the supervisor is killed, or stopped, and another one comes",
    () =>
      Effect.gen(function*() {
        const { doors, machine } = yield* front({ service: { web: upstream(drowsy) } })
        yield* machine.until("web", "sleeping")
        const second = yield* machine.kill()
        yield* second.until("web", "sleeping")
        const before = yield* incarnation(second, "web")
        const { ask } = yield* doors(second)
        assert.strictEqual((yield* ask("web.example.test", "/head")).status, 200)
        assert.strictEqual(yield* incarnation(second, "web"), before + 1)
      }),
    patient
  )

  it.scopedLive("is woken by who depends on it", () =>
    Effect.gen(function*() {
      const { machine } = yield* front({
        service: { db: upstream(drowsy), web: upstream({ depends_on: ["db"] }) }
      })
      yield* machine.until("web", "running")
      yield* machine.until("db", "sleeping")
      assert.strictEqual((yield* machine.ask("restart", "web")).status, 200)
      const { history } = yield* machine.describe("db")
      assert.include(history.map(({ cause }) => cause._tag), "Needed")
    }), patient)
})

describe("what an instance keeps ready while it sleeps", () => {
  const words = "# tenement: ready to start web:default"
  /** The process that will become its program. */
  const ready = ({ supervisor: { pid } }: Machine) =>
    Proc.pids().find((one) => Proc.stat(one)?.parent === pid && Proc.commandLine(one).includes(words))
  const untilReady = (machine: Machine) =>
    eventually("it is ready", Effect.sync(() => ready(machine)), (pid) => pid !== undefined)

  it.scopedLive("is its next process, also with what the file says of it by then", () =>
    Effect.gen(function*() {
      const drowsy = { idle_timeout: 2 }
      const { ask, machine } = yield* front({ service: { web: upstream(drowsy) } })
      const wakes = Effect.gen(function*() {
        yield* machine.until("web", "sleeping")
        const kept = yield* untilReady(machine)
        assert.strictEqual((yield* ask("web.example.test", "/head")).status, 200)
        const { pid } = yield* machine.view("web")
        assert.isNotNull(pid)
        return { kept, pid }
      })
      const first = yield* wakes
      assert.strictEqual(first.pid, first.kept)
      yield* machine.until("web", "sleeping")
      const kept = yield* untilReady(machine)
      yield* machine.write({ settings, service: { web: upstream({ ...drowsy, pids_limit: 500, env: { NEW: "1" } }) } })
      assert.strictEqual((yield* machine.api("/api/reload", { method: "POST" })).status, 200)
      const second = yield* wakes
      assert.strictEqual(second.kept, kept)
      assert.strictEqual(second.pid, kept)
    }), patient)

  it.scopedLive("ends when it is stopped, or the supervisor is killed", () =>
    Effect.gen(function*() {
      const { machine } = yield* front({ service: { web: upstream(drowsy) } })
      yield* machine.until("web", "sleeping")
      const first = yield* untilReady(machine)
      assert.strictEqual((yield* machine.ask("stop", "web")).status, 200)
      yield* eventually("it ends", Effect.sync(() => Proc.isAlive(first ?? 0)), (is) => !is)
      yield* machine.ask("start", "web")
      yield* machine.until("web", "sleeping")
      const second = yield* untilReady(machine)
      yield* machine.kill()
      yield* eventually("it ends", Effect.sync(() => Proc.isAlive(second ?? 0)), (is) => !is)
    }), patient)
})

describe("a request", () => {
  it.scopedLive(
    "is told why the instance does not wake, and wakes nobody who is stopped or unknown",
    () =>
      Effect.gen(function*() {
        const { ask, machine } = yield* front({
          service: {
            broken: upstream({ ...drowsy, backoff_base_ms: 60_000 }, "test ! -e broken || exit 3"),
            off: upstream(drowsy)
          }
        })
        yield* machine.until("broken", "sleeping")
        yield* machine.touch("broken")
        const answer = yield* ask("broken.example.test", "/head")
        assert.strictEqual(answer.status, 503)
        assert.include(answer.text, "exited with code 3")
        assert.isAbove(Number(answer.headers["retry-after"]), 10)
        yield* machine.until("off", "sleeping")
        yield* machine.stop("off")
        assert.strictEqual((yield* ask("off.example.test", "/head")).status, 503)
        assert.strictEqual((yield* machine.view("off")).state, "stopped")
        assert.strictEqual((yield* ask("other.off.example.test", "/head")).status, 404)
        assert.strictEqual((yield* machine.list).length, 2)
      }),
    patient
  )

  it.scopedLive("that leaves while it waits is in nobody's way", () =>
    Effect.gen(function*() {
      const gate = "while [ -e shut ]; do sleep 0.05; done"
      const { ask, machine, port } = yield* front({ service: { web: upstream(drowsy, gate) } })
      yield* machine.until("web", "sleeping")
      yield* machine.touch("shut")
      const { socket } = yield* held({ port, host: "127.0.0.1" }, get("web", "/head"))
      yield* machine.until("web", "starting")
      socket.destroy()
      yield* eventually(
        "it is counted as one that left",
        machine.api("/metrics"),
        ({ text }) => text.includes("tenement_errors_total{service=\"web\",kind=\"client-left\"} 1")
      )
      const waiting = yield* Effect.fork(ask("web.example.test", "/head"))
      yield* machine.remove("shut")
      assert.strictEqual((yield* Fiber.join(waiting)).status, 200)
    }), patient)

  it.scopedLive("waits while a person restarts the instance", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* front({ service: { web: upstream() } })
      yield* machine.until("web", "running")
      const restarting = yield* Ref.make(true)
      const client = Effect.gen(function*() {
        const statuses = new Set<number>()
        while (yield* Ref.get(restarting)) statuses.add((yield* ask("web.example.test", "/head")).status)
        return statuses
      })
      const clients = yield* Effect.fork(Effect.all([client, client, client, client], { concurrency: "unbounded" }))
      for (const _ of [1, 2, 3]) {
        assert.strictEqual((yield* machine.ask("restart", "web")).status, 200)
        // A request is sent three times at the most, and each of these could end one of them.
        assert.strictEqual((yield* ask("web.example.test", "/head")).status, 200)
      }
      yield* Ref.set(restarting, false)
      for (const statuses of yield* Fiber.join(clients)) assert.deepStrictEqual([...statuses], [200])
    }), patient)
})
