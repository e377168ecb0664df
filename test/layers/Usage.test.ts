import { assert } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "node:path"
import { InstanceName } from "../../src/domain/Names.ts"
import * as Cgroups from "../../src/layers/Cgroups.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as Usage from "../../src/layers/Usage.ts"
import { folder, instance, linesOf, printing, sharing, silent } from "./Harness.ts"

const megabyte = 1024 * 1024

sharing(
  "Usage",
  Layer.merge(Layer.provide(Usage.layer, Cgroups.none), Launcher.layer),
  (scoped) => {
    scoped(
      "counts what a tree has resident and what it computed, its ended children too",
      () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const { sample } = yield* Usage.Usage
          const out = Path.join(yield* folder, "out")
          const burn = "1 while (times)[0] < 0.3"
          const busy = yield* launch(
            yield* printing(
              out,
              [
                "perl",
                "-e",
                // One child burns and ends, another holds memory.
                `$| = 1; unless (fork) { ${burn}; exit } wait;
               unless (fork) { $x = "x" x ${40 * megabyte}; print "held\\n"; sleep 600 }
               ${burn}; print "burnt\\n"; sleep 600`
              ]
            )
          )
          yield* linesOf(out, 2)
          const usage = (yield* sample(new Map([[instance, busy.pid]]))).get(instance)!
          assert.isAtLeast(usage.memoryBytes, 40 * megabyte)
          assert.isAtMost(usage.memoryBytes, 200 * megabyte)
          assert.isAtLeast(usage.cpuSeconds, 0.55)
          assert.isAtMost(usage.cpuSeconds, 5)
          assert.isAbove(usage.cpuPercent, 1)
          // Too soon for a share of its own: the one before holds. On a busy machine it takes several attempts to be soon.
          const pair = Effect.timed(Effect.all([
            sample(new Map([[instance, busy.pid]])),
            sample(new Map([[instance, busy.pid]]))
          ]))
          const [, [first, soon]] = yield* Effect.repeat(pair, { until: ([took]) => Duration.toMillis(took) < 900 })
          assert.strictEqual(soon.get(instance)!.cpuPercent, first.get(instance)!.cpuPercent)
          yield* Effect.sleep("1100 millis")
          const later = (yield* sample(new Map([[instance, busy.pid]]))).get(instance)!
          assert.isAtMost(later.cpuPercent, 20)
        })
    )

    scoped("leaves out what is gone, and tells a tree from another", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const { sample } = yield* Usage.Usage
        const spec = yield* silent(["sleep", "600"])
        const one = yield* launch(spec)
        const two = yield* launch(spec)
        const names = ["a:a", "b:b", "c:c"].map((name) => InstanceName.make(name)) as [
          InstanceName,
          InstanceName,
          InstanceName
        ]
        const gone = yield* launch(yield* silent(["true"]))
        yield* gone.exited
        const seen = yield* sample(new Map([[names[0], one.pid], [names[1], two.pid], [names[2], gone.pid]]))
        assert.deepStrictEqual([...seen.keys()], [names[0], names[1]])
        for (const { memoryBytes } of seen.values()) assert.isBelow(memoryBytes, 20 * megabyte)
        assert.strictEqual((yield* sample(new Map())).size, 0)
      }))
  }
)
