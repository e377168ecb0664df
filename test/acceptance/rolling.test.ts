import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as fs from "node:fs"
import * as http from "node:http"
import { eventually } from "./Eventually.ts"
import { ready, settings, versioned } from "./Front.ts"
import type * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import type { Machine } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import type * as Site from "./Site.ts"

const service = (keys: Fx.Table = {}): Fx.Table => versioned({ restart_mode: "rolling", ...keys })

const started = (file: Exclude<Site.File, string>) =>
  Effect.map(ready(file), ({ machine, port }) => ({
    machine,
    port,
    ask: (path: string, request: Http.Request = {}) =>
      Http.request(port, path, { ...request, headers: { host: "web.example.test" } })
  }))

interface Version {
  readonly version: string
  readonly pid: number
}

/** Asks again and again, by every door, until it is told to end; gives how often, and what went wrong. */
const load = (doors: Readonly<Record<string, Effect.Effect<Http.Answer, Http.RequestFailed>>>) =>
  Effect.gen(function*() {
    const over = yield* Ref.make(false)
    const counts = { asked: 0, failed: [] as Array<string> }
    const versions = new Set<number>()
    const loop = (name: string, door: Effect.Effect<Http.Answer, Http.RequestFailed>) =>
      Effect.iterate(false, {
        while: (isOver) => !isOver,
        body: () =>
          door.pipe(
            Effect.match({
              onFailure: (error) => void counts.failed.push(`${name}: ${error.code} ${error.message}`),
              onSuccess: ({ json, status, text }) => {
                if (status === 200) versions.add((json as Version).pid)
                else counts.failed.push(`${name}: ${status} ${text}`)
              }
            }),
            Effect.zipRight(Effect.sync(() => counts.asked++)),
            Effect.zipRight(Ref.get(over))
          )
      })
    const fiber = yield* Effect.fork(
      Effect.forEach(Object.entries(doors), ([name, door]) => loop(name, door), { concurrency: 8, discard: true })
    )
    const end = Ref.set(over, true).pipe(
      Effect.zipRight(Fiber.join(fiber)),
      Effect.as({ ...counts, processes: versions.size }),
      Effect.map(() => ({ asked: counts.asked, failed: counts.failed, processes: versions.size }))
    )
    return end
  })

/** The processes that there are of its service. */
const runsOf = ({ dataDir }: Machine) => Proc.withArgument(dataDir)

const restarted = (machine: Machine) =>
  Effect.map(machine.ask("restart", "web"), ({ status, text }) => assert.strictEqual(status, 200, text))

/** A stream that has begun; what it gives waits for its end, whichever side brings that about. */
const streamFrom = (door: http.RequestOptions) =>
  Effect.async<{ readonly ended: Effect.Effect<void>; readonly leave: Effect.Effect<void> }>((resume) => {
    const request = http.get({ ...door, path: "/stream", agent: false }, (response) => {
      response.on("error", () => undefined)
      response.once("data", () =>
        resume(Effect.succeed({
          ended: Effect.async((over) =>
            void (response.closed ? over(Effect.void) : response.once("close", () => over(Effect.void)))
          ),
          leave: Effect.sync(() => request.destroy())
        })))
    })
    request.on("error", () => undefined)
  })

/** A restart whose run before goes on, for a stream is open on it. */
const halfReplaced = Effect.gen(function*() {
  const { machine } = yield* started({ service: { web: service({ drain_timeout: 60 }) } })
  const { socket } = yield* machine.view("web")
  const stream = yield* streamFrom({ socketPath: socket! })
  yield* restarted(machine)
  assert.lengthOf(runsOf(machine), 2)
  return { machine, socket, stream }
})

describe("a rolling restart", () => {
  it.scopedLive(
    "fails no request, by the gateway and by the public path, ten times in a row",
    () =>
      Effect.gen(function*() {
        const { ask, machine } = yield* started({ service: { web: service() } })
        const { socket } = yield* machine.view("web")
        const post = Effect.suspend(() => ask(`/?${Math.random()}`, { method: "POST", raw: "x" }))
        const end = yield* load({
          gateway: ask("/"),
          "gateway, slow": ask("/slow?150"),
          "gateway, POST": post,
          "public path": Http.request(socket!, "/"),
          "public path, slow": Http.request(socket!, "/slow?150")
        })
        for (let turn = 0; turn < 10; turn++) yield* restarted(machine)
        const { asked, failed, processes } = yield* end
        assert.deepStrictEqual(failed, [])
        assert.isAbove(asked, 50)
        assert.isAbove(processes, 9, "each run has served")
        yield* eventually(
          "the last is alone",
          Effect.sync(() => runsOf(machine).length),
          (count) => count === 1
        )
        const posted = fs.readFileSync(`${machine.dataDir}/web/default/posted`, "utf8").trim().split("\n")
        assert.strictEqual(new Set(posted).size, posted.length, "no POST came twice")
        const { restarts } = yield* machine.view("web")
        assert.strictEqual(restarts, 0)
      }),
    120_000
  )

  it.scopedLive(
    "leaves the one that serves alone when the next does not get ready, and says why",
    () =>
      Effect.gen(function*() {
        const { ask, machine } = yield* started({
          service: { web: service({ env: { VERSION: "1" }, startup_timeout: 2 }) }
        })
        const { pid } = yield* machine.view("web")
        const end = yield* load({ gateway: ask("/") })
        yield* machine.write({
          settings,
          service: { web: service({ env: { VERSION: "2", BAD: "1" }, startup_timeout: 1 }) }
        })
        const reloaded = yield* machine.cli("reload")
        assert.include(reloaded.stdout + reloaded.stderr, "the run before it goes on")
        const again = yield* machine.ask("restart", "web")
        assert.strictEqual(again.status, 409, again.text)
        assert.include(again.text, "was not ready within")
        const view = yield* machine.view("web")
        assert.strictEqual(view.pid, pid)
        assert.strictEqual(view.state, "running")
        const { failed } = yield* end
        assert.deepStrictEqual(failed, [])
        assert.lengthOf(runsOf(machine), 1)
      }),
    60_000
  )

  it.scopedLive(
    "waits for what is open, streams as well, and no longer than drain_timeout",
    () =>
      Effect.gen(function*() {
        const { ask, machine, port } = yield* started({ service: { web: service({ drain_timeout: 1 }) } })
        const first = yield* machine.view("web")
        const stream = yield* streamFrom({ host: "127.0.0.1", port, headers: { host: "web.example.test" } })
        const slow = yield* Effect.fork(ask("/slow?600", { method: "POST", raw: "x" }))
        yield* eventually(
          "it has arrived",
          Effect.sync(() => fs.existsSync(`${machine.dataDir}/web/default/posted`)),
          (is) => is
        )
        yield* restarted(machine)
        const second = yield* machine.view("web")
        assert.notStrictEqual(second.pid, first.pid)
        assert.strictEqual(((yield* Fiber.join(slow)).json as Version).pid, first.pid, "it came to its end")
        // The stream never ends by itself.
        yield* stream.ended
        yield* eventually("one is left", Effect.sync(() => runsOf(machine)), (pids) => pids.length === 1)
        const { history } = yield* machine.describe("web")
        const causes = history.map(({ cause }) => cause)
        const drained = causes.find((cause) => cause._tag === "Drained")
        assert.strictEqual(drained?._tag === "Drained" && drained.incarnation, 1)
        assert.isAtLeast(drained?._tag === "Drained" ? drained.left : 0, 1, "the stream was still open")
      }),
    60_000
  )

  it.scopedLive("goes on under another supervisor, wherever it was", () =>
    Effect.gen(function*() {
      const { machine, socket, stream } = yield* halfReplaced
      const before = yield* machine.view("web")
      const next = yield* machine.kill()
      yield* eventually("it is taken over", next.view("web"), ({ pid, state }) =>
        state === "running" && pid === before.pid)
      assert.lengthOf(runsOf(machine), 2, "what is open on the one before is still waited for")
      yield* stream.leave
      yield* eventually(
        "one is left",
        Effect.sync(() =>
          runsOf(machine)
        ),
        (pids) => pids.length === 1
      )
      assert.strictEqual(((yield* Http.request(socket!, "/")).json as Version).pid, before.pid)
    }), 60_000)

  it.scopedLive("is ended by a stop, with all its runs", () =>
    Effect.gen(function*() {
      const { machine, stream } = yield* halfReplaced
      yield* machine.stop("web")
      assert.lengthOf(runsOf(machine), 0)
      yield* stream.ended
    }), 60_000)
})
