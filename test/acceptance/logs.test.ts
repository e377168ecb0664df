import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import type * as Views from "../../src/domain/Views.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { full, type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

type Line = typeof Views.LogLine.Encoded

const read = (machine: Machine, name: string, query = "") =>
  Effect.map(machine.api(`/api/instances/${full(name)}/logs?tail=100000${query}`), ({ status, text }) => {
    assert.strictEqual(status, 200, text)
    return Http.eventsOf(text) as ReadonlyArray<Line>
  })

const textOf = (lines: ReadonlyArray<Line>, stream: "stdout" | "stderr") =>
  lines.filter((line) => line.stream === stream).map(({ text }) => text).join("\n")

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

/** What `spew` and `flood` write. */
const spewed = (stream: "o" | "e", count: number) =>
  Array.from({ length: count }, (_, index) => `${stream} ${String(index + 1).padStart(7, "0")} ${"x".repeat(50)}`)

const sizeOf = (folder: string): number =>
  fs.readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0)

describe("logs", () => {
  it.scopedLive("keep every byte of last words, in order, by stream and run", () =>
    Effect.gen(function*() {
      const count = 8800
      const machine = yield* make({
        service: {
          loud: Fx.service({ restart: "never" }, `spew=${count} die=KILL`),
          brief: Fx.service({ ...Fx.eager, restart: "on-failure" }, "out=first err=oops exit=1", "out=second exit=0")
        }
      })
      yield* machine.until("loud", "failed")
      const lines = yield* eventually(
        "all lines are there",
        read(machine, "loud"),
        (lines) => lines.length === 2 * count
      )
      assert.strictEqual(sha256(textOf(lines, "stdout")), sha256(spewed("o", count).join("\n")))
      assert.strictEqual(sha256(textOf(lines, "stderr")), sha256(spewed("e", count).join("\n")))
      assert.isTrue(lines.every(({ incarnation, instance }) => incarnation === 1 && instance === "loud:default"))
      assert.deepStrictEqual(lines.map(({ seq }) => seq), lines.map((_, index) => index + 1))
      for (const stream of ["o", "e"] as const) {
        // Its last line has no end, and gets none.
        const { stdout } = yield* machine.cli("logs", "loud", "--raw", "--grep", `^${stream} `)
        assert.strictEqual(sha256(stdout), sha256(spewed(stream, count).join("\n")))
      }

      yield* machine.until("brief", "completed")
      const brief = yield* eventually("two runs spoke", read(machine, "brief"), (lines) => lines.length === 3)
      const tagged = brief.map(({ incarnation, stream, text }) => `${incarnation} ${stream} ${text}`).sort()
      assert.deepStrictEqual(tagged, ["1 stderr oops", "1 stdout first", "2 stdout second"])
      assert.strictEqual(brief.at(-1)?.text, "second")
    }))

  it.scopedLive("a flood is bounded on disk and in memory, and its newest lines are kept", () =>
    Effect.gen(function*() {
      const count = 150_000
      const machine = yield* make({
        settings: { log_max_mb: 1, log_keep: 2 },
        service: {
          flood: Fx.service({ restart: "never" }, `flood=${count} touch=flooded`),
          quiet: Fx.service({}, "out=hello")
        }
      })
      const rss = () => Number(Proc.status(machine.supervisor.pid, "VmRSS")?.split(" ")[0])
      let most = rss()
      yield* eventually(
        "the flood is over",
        Effect.sync(() => most = Math.max(most, rss())),
        () => fs.existsSync(`${machine.root}/flooded`)
      )
      const last = yield* eventually(
        "the last line is there",
        Effect.map(
          machine.api("/api/instances/flood:default/logs?tail=1000"),
          ({ text }) => Http.eventsOf(text) as ReadonlyArray<Line>
        ),
        (lines) => lines.at(-1)?.text === spewed("o", count).at(-1)
      )
      assert.deepStrictEqual(last.map(({ text }) => text), spewed("o", count).slice(-1000))
      assert.strictEqual(last.at(-1)?.seq, count)
      assert.isBelow(sizeOf(machine.dataDir), 5 * 1024 ** 2)
      assert.isBelow(most, 200 * 1024, "kilobytes resident")
      assert.deepStrictEqual((yield* read(machine, "quiet")).map(({ text }) => text), ["hello"])
    }))

  it.scopedLive(
    "are followed beyond a supervisor that was killed, each line once",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: {
            count: {
              command: "perl",
              args: ["-e", "$| = 1; for (1 .. 1e9) { print \"$_\\n\" or die; select undef, undef, undef, 0.01 }"],
              isolation: "process"
            },
            quiet: Fx.service({}, "await=speak out=spoken")
          }
        })
        const follower = yield* machine.run(["--json", "logs", "-f", "-n", "5"])
        const heard = (name: string) =>
          Effect.map(follower.stdout, (text) =>
            text.split("\n").slice(0, -1).map((line) =>
              JSON.parse(line) as Line
            ).filter(({ instance }) => instance === full(name)))
        const goesOn = (from: number) =>
          eventually("it goes on", heard("count"), (lines) =>
            lines.some(({ seq }) =>
              seq > from
            ))
        yield* goesOn(100)
        const next = yield* machine.kill(machine.touch("speak"))
        const [before] = (yield* heard("count")).slice(-1)
        yield* goesOn((before?.seq ?? 0) + 200)
        yield* eventually("what was silent is heard", heard("quiet"), (lines) => lines.length > 0)
        const lines = yield* heard("count")
        const first = lines[0]?.seq ?? 0
        assert.deepStrictEqual(lines.map(({ seq }) => seq), lines.map((_, index) => first + index))
        assert.deepStrictEqual((yield* heard("quiet")).map(({ text }) => text), ["spoken"])

        const after = `after=${first + 10}&tail=100000`
        const read = (headers: Readonly<Record<string, string>>, query: string) =>
          Effect.map(next.api(`/api/instances/count:default/logs?${query}`, { headers }), ({ text }) => text)
        const byQuery = yield* read({}, `${after}&grep=^${first + 11}$`)
        assert.match(byQuery, new RegExp(`^id: ${first + 11}\n`))
        assert.strictEqual((Http.eventsOf(yield* read({}, after))[0] as Line).seq, first + 11)
        const again = Http.eventsOf(yield* read({ "last-event-id": `${first + 20}` }, ""))
        assert.strictEqual((again[0] as Line).seq, first + 21)
        yield* follower.signal("SIGINT")
        yield* follower.exited
      }),
    180_000
  )

  it.scopedLive(
    "keep what was said, and by whom, while no supervisor was there to hear it",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          service: {
            brief: Fx.service({ restart: "never" }, "await=end spew=300 exit=3"),
            lives: Fx.service({}, "await=end out=alive")
          }
        })
        yield* machine.until("brief", "running")
        yield* machine.until("lives", "running")
        const relay = () => Number(fs.readFileSync(`${machine.dataDir}/.logs/relay`, "utf8").split(" ")[0])
        const { pid } = yield* machine.view("brief")
        const first = yield* eventually("there is a relay", Effect.sync(relay), (pid) => pid > 0)
        const next = yield* machine.kill(Effect.gen(function*() {
          yield* machine.touch("end")
          yield* eventually("it has ended", Effect.sync(() => Proc.isAlive(pid!)), (alive) => !alive)
          assert.isTrue(Proc.isAlive(first))
        }))
        yield* next.until("brief", "failed")
        const lines = yield* eventually("all is there", read(next, "brief"), (lines) => lines.length === 600)
        assert.strictEqual(textOf(lines, "stdout"), spewed("o", 300).join("\n"))
        assert.strictEqual(textOf(lines, "stderr"), spewed("e", 300).join("\n"))
        assert.isTrue(lines.every(({ incarnation }) => incarnation === 1))
        assert.deepStrictEqual((yield* read(next, "lives")).map(({ text }) => text), ["alive"])
        assert.isFalse(Proc.isAlive(first), "the relay of before is gone")
        const second = relay()
        yield* next.terminate
        yield* eventually("no relay is left", Effect.sync(() => Proc.isAlive(second)), (alive) => !alive)
      }),
    60_000
  )

  it.scopedLive("tell the last words of the run that failed, and not those of the next", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service(Fx.eager, "out=early exit=1", "err=because exit=1", "flood=30") }
      })
      yield* eventually("the third run has spoken", read(machine, "web"), (lines) => lines.length === 32)
      const { lastWords } = yield* machine.describe("web")
      assert.deepStrictEqual(lastWords.map(({ text }) => text), ["because"])
      const { stdout } = yield* machine.cli("why", "web")
      assert.include(stdout, "The last that run 2 printed, which failed\n  ! because\n")
      assert.notInclude(stdout, "0000030")
    }))

  it.scopedLive("can be cut by tail, since and grep, and followed", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service({ ...Fx.eager, restart: "always" }, "flood=20 await=again exit=1", "out=again"),
          other: Fx.service({}, "out=elsewhere")
        }
      })
      yield* machine.untilUp("other")
      yield* eventually("20 lines", read(machine, "web"), (lines) => lines.length === 20)
      const cut = (...args: ReadonlyArray<string>) =>
        Effect.map(machine.cli("logs", "web", ...args), ({ code, stderr, stdout }) => {
          assert.strictEqual(code, 0, stderr)
          return stdout.split("\n").filter((line) => line !== "")
        })
      assert.strictEqual((yield* cut("-n", "3")).length, 3)
      assert.include((yield* cut("-n", "1"))[0], "0000020")
      assert.strictEqual((yield* cut("--grep", "00000(07|11)")).length, 2)
      assert.strictEqual((yield* cut("--since", "1h")).length, 20)
      const future = new Date(Date.now() + 3_600_000).toISOString()
      assert.strictEqual((yield* cut("--since", future)).length, 0)
      assert.strictEqual((yield* machine.cli("logs", "web", "--grep", "(")).code, 2)
      assert.strictEqual((yield* machine.cli("logs", "nobody")).code, 1)

      const follower = yield* machine.run(["logs", "-f", "-n", "1", "web"])
      yield* eventually("the last line is shown", follower.stdout, (text) => text.includes("0000020"))
      yield* machine.touch("again")
      yield* eventually("what comes is shown", follower.stdout, (text) => text.includes("again"))
      assert.notInclude(yield* follower.stdout, "elsewhere")
      yield* follower.signal("SIGINT")
      yield* follower.exited
      const all = yield* machine.cli("logs")
      assert.include(all.stdout, "elsewhere")
      assert.include(all.stdout, "again")
    }))
})
