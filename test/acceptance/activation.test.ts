import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import type * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type Machine, make } from "./Machine.ts"
import { rootWith } from "./Requirement.ts"

const script = path.resolve(import.meta.dirname, "../fixtures/activated.pl")

const service = (keys: Fx.Table = {}): Fx.Table => ({
  command: ["/usr/bin/perl", script, "{data_dir}/closed"],
  isolation: "process",
  socket_activation: true,
  backoff_base_ms: 50,
  ...keys
})

interface Told {
  readonly pid: number
  readonly names: string
  readonly fds: ReadonlyArray<number>
  readonly blocks: number
}

const askAt = (to: string | number, what = "/") => Effect.map(Http.request(to, what), ({ json }) => json as Told)

/** The port, or the public path. */
const doorOf = (machine: Machine, name: string) => Effect.map(machine.view(name), ({ port, socket }) => port ?? socket!)

const ask = (machine: Machine, name: string, what = "/") =>
  Effect.flatMap(doorOf(machine, name), (door) => askAt(door, what))

const running = (machine: Machine) =>
  eventually("all run", machine.list, (all) => all.every(({ state }) => state === "running" || state === "healthy"))

const closed = ({ dataDir }: Machine) => `${dataDir}/closed`

describe("socket_activation", () => {
  const { isSkipped, told } = rootWith("bwrap")
  it.scopedLive.skipIf(isSkipped)(
    `hands over one socket, at each level of isolation and for a port${told}`,
    () =>
      Effect.gen(function*() {
        const sandbox = { isolation: "sandbox", sandbox_runtime: "bubblewrap", user: "nobody" }
        const machine = yield* make({
          service: {
            plain: service(),
            other: service({ user: "nobody", socket_mode: "0600" }),
            apart: service({ isolation: "namespace" }),
            boxed: service(sandbox),
            // It has no network of its own, and serves one.
            "boxed-port": service({ ...sandbox, port: "auto", health: "/" })
          }
        }, { extraDescriptors: 1 })
        yield* running(machine)
        for (const { name, pid, service: names, socket } of yield* machine.list) {
          const told = yield* ask(machine, name)
          assert.deepInclude(told, { names, fds: [0, 1, 2, 3], blocks: 1 }, name)
          // The program has passed the test for LISTEN_PID by the pid that it sees itself.
          if (name === "plain:default") assert.strictEqual(told.pid, pid)
          if (name !== "other:default") continue
          const { mode, uid } = fs.statSync(socket!)
          assert.strictEqual(mode & 0o777, 0o600)
          assert.notStrictEqual(uid, 0, "it is the program's")
        }
      }),
    60_000
  )

  it.scopedLive(
    "keeps who comes between a crash and the next start, and nobody after a stop",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: { web: service(), tcp: service({ port: "auto" }) }
        }, { extraDescriptors: 1 })
        yield* running(machine)
        for (const name of ["web", "tcp"]) {
          const { port } = yield* machine.view(name)
          const door = yield* doorOf(machine, name)
          const first = yield* askAt(door)
          fs.writeFileSync(closed(machine), "")
          const failed = yield* Effect.flip(askAt(door, "/crash"))
          assert.include(["ECONNRESET", "EPIPE"], failed.code)
          const waiting = yield* Effect.fork(
            Effect.forEach(Array.from({ length: 20 }), () => askAt(door), { concurrency: "unbounded" })
          )
          yield* machine.until(name, (view) => view.restarts === 1 && view.state === "running")
          fs.rmSync(closed(machine))
          const answers = yield* Fiber.join(waiting)
          for (const told of answers) assert.notStrictEqual(told.pid, first.pid)
          assert.strictEqual((yield* machine.view(name)).port, port)
          // A restart that a person asks for keeps them as well.
          const restarted = yield* Effect.fork(machine.ask("restart", name))
          yield* Effect.forEach(Array.from({ length: 20 }), () => askAt(door), { concurrency: 4 })
          assert.strictEqual((yield* Fiber.join(restarted)).status, 200)
          yield* machine.stop(name)
          const refused = yield* Effect.flip(askAt(door))
          assert.include(["ECONNREFUSED", "ENOENT"], refused.code)
          assert.strictEqual((yield* machine.ask("start", name)).status, 200)
          assert.deepInclude(yield* ask(machine, name), { fds: [0, 1, 2, 3] })
        }
      }),
    60_000
  )

  it.scopedLive(
    "outlives the supervisor, by whatever it ends; the next run has a socket of the next one's",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service: { web: service() } }, { extraDescriptors: 1 })
        yield* running(machine)
        const { pid } = yield* machine.view("web")
        const { socket } = yield* machine.view("web")
        const second = yield* machine.kill(
          Effect.map(Effect.orDie(Http.request(socket!, "/")), ({ status }) => assert.strictEqual(status, 200))
        )
        yield* running(second)
        assert.strictEqual((yield* ask(second, "web")).pid, pid)
        yield* Effect.flip(ask(second, "web", "/crash"))
        yield* second.until("web", (view) => view.restarts === 1 && view.state === "running")
        const { pid: heir } = yield* ask(second, "web")
        const third = yield* second.upgrade()
        yield* running(third)
        assert.strictEqual((yield* ask(third, "web")).pid, heir)
        assert.strictEqual((yield* third.ask("restart", "web")).status, 200)
        assert.notStrictEqual((yield* ask(third, "web")).pid, heir)
      }),
    60_000
  )

  it.scopedLive(
    "gives each run of a rolling restart a socket of its own, and loses no request",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: { web: service({ restart_mode: "rolling", health: "/", health_interval: 60 }) }
        }, { extraDescriptors: 1 })
        yield* running(machine)
        let isOver = false
        const pids = new Set<number>()
        const load = yield* Effect.fork(Effect.forEach(Array.from({ length: 4 }), () =>
          Effect.iterate(0, {
            while: () => !isOver,
            body: (count) => Effect.map(ask(machine, "web"), ({ pid }) => (pids.add(pid), count + 1))
          }), { concurrency: "unbounded" }))
        for (let turn = 0; turn < 5; turn++) {
          assert.strictEqual((yield* machine.ask("restart", "web")).status, 200)
          yield* ask(machine, "web")
        }
        isOver = true
        yield* Fiber.join(load)
        assert.isAtLeast(pids.size, 5)
      }),
    60_000
  )
})
