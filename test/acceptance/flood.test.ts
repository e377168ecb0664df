import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import type * as Views from "../../src/domain/Views.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { full, type Machine, make } from "./Machine.ts"
import * as Proc from "./Proc.ts"

/** How much is poured out; `TENEMENT_FLOOD_MB=1024` is the whole of it, and tells what it measured. */
const asked = process.env["TENEMENT_FLOOD_MB"]
const megabytes = Number(asked ?? 64)
const limits = { log_max_mb: 10, log_keep: 2 }

type Line = typeof Views.LogLine.Encoded

const quiet = Array.from({ length: 20 }, (_, n) => `quiet${n}`)

const read = (machine: Machine, name: string, query: string) =>
  Effect.map(
    machine.api(`/api/instances/${full(name)}/logs?${query}`),
    ({ text }) => Http.eventsOf(text) as ReadonlyArray<Line>
  )

const lostOf = (machine: Machine, reason: string) =>
  Effect.map(machine.api("/metrics"), ({ text }) =>
    Number(
      new RegExp(`^tenement_log_lines_lost_total\\{.*instance="flood:default",reason="${reason}"\\} (\\d+)`, "m").exec(
        text
      )?.[1]
    ))

/** The longest answer of the supervisor, in milliseconds, while `during` goes on. */
const slowest = <A, E, R>(machine: Machine, during: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    let longest = 0
    const ask = Effect.suspend(() => {
      const begun = Fx.now()
      return Effect.map(machine.list, (all) => {
        longest = Math.max(longest, Fx.now() - begun)
        assert.isTrue(all.filter(({ service }) => service !== "flood").every(({ state }) => state === "running"))
      })
    })
    return Effect.map(
      Effect.raceFirst(during, Effect.forever(Effect.delay(ask, "100 millis"))),
      (result) => ({ result, longest })
    )
  })

describe("a flood of one service", () => {
  it.scopedLive(
    "is bounded in memory and on disk, is counted, and leaves the others alone",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({
          settings: limits,
          service: {
            flood: Fx.service({ restart: "never", instances: [] }, `torrent=${megabytes}`),
            ...Object.fromEntries(quiet.map((name) => [name, Fx.service({}, "tick=100000")]))
          }
        })
        for (const name of quiet) yield* machine.until(name, "running")
        const rss = () => Number(Proc.status(machine.supervisor.pid, "VmRSS")?.split(" ")[0]) / 1024
        const before = rss()
        let most = before
        const cpuBefore = process.hrtime.bigint()
        yield* machine.api("/api/instances", { method: "POST", body: { service: "flood" } })
        const { longest, result } = yield* slowest(
          machine,
          eventually(
            "it is poured out",
            Effect.tap(machine.truth("flood"), () => Effect.sync(() => most = Math.max(most, rss()))),
            (records) => records.some(({ event }) => event === "poured"),
            "5 minutes"
          )
        )
        const seconds = Number(process.hrtime.bigint() - cpuBefore) / 1e9
        const count = Number(result.find(({ event }) => event === "poured")?.detail)
        const text = (number: number) => `${String(number).padStart(7, "0")} ${"x".repeat(91)}`

        const [last] = yield* eventually("the last line is there", read(machine, "flood", "tail=1"), ([last]) =>
          last?.text === text(count))
        assert.strictEqual(last?.seq, count)
        const all = yield* read(machine, "flood", "after=0&tail=100000")
        assert.deepStrictEqual(
          all.map(({ text }) =>
            text
          ),
          all.map((_, i) => text(count - all.length + 1 + i))
        )
        const [remark] = yield* read(machine, "flood", "after=0&grep=^0000001")
        const rotated = yield* lostOf(machine, "rotated")
        assert.isAbove(rotated, 0)
        assert.deepInclude(remark, { lost: rotated, seq: rotated })
        const [oldest] = yield* read(machine, "flood", `after=${rotated}&grep=^${text(rotated + 1).slice(0, 7)}`)
        assert.strictEqual(oldest?.text, text(rotated + 1))
        assert.strictEqual(yield* lostOf(machine, "disk"), 0)

        const folder = path.join(machine.dataDir, ".logs/flood.default")
        const used = fs.readdirSync(folder).reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0)
        assert.isAtMost(used, (limits.log_keep + 1) * limits.log_max_mb * 1024 ** 2)
        assert.isBelow(most - before, 100, "megabytes more than before")

        let late = 0
        for (const name of quiet) {
          const lines = yield* read(machine, name, "")
          assert.deepStrictEqual(lines.map(({ text }) => Number(text.split(" ")[0])), lines.map((_, i) => i + 1))
          for (const { at, text } of lines) late = Math.max(late, Date.parse(at) - Number(text.split(" ")[1]))
        }
        if (asked !== undefined) {
          process.stdout.write(
            `${megabytes} MiB, ${count} lines in ${seconds.toFixed(1)} s; resident ${before.toFixed(0)} MiB before, ` +
              `${most.toFixed(0)} at most; ${
                (used / 1024 ** 2).toFixed(1)
              } MiB on disk, ${rotated} lines rotated away; ` +
              `the slowest answer took ${longest.toFixed(0)} ms; a quiet line was at most ${late} ms late\n`
          )
        }
      }),
    600_000
  )
})
