import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { execFileSync } from "node:child_process"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as LauncherWatch from "../../src/layers/LauncherWatch.ts"

const kill = (pid: number) =>
  Effect.sync(() => {
    if (Procfs.stat(pid) !== undefined) process.kill(pid, "SIGKILL")
  })

/** A process whose parent is gone, as an earlier supervisor leaves it. */
const orphan = Effect.acquireRelease(
  Effect.sync(() => {
    const pid = Number(
      execFileSync("/bin/sh", ["-c", "/bin/sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"], { encoding: "utf8" })
    )
    return { pid, startTime: Procfs.stat(pid)!.startTime }
  }),
  ({ pid }) => kill(pid)
)

const withPath = <A, E, R>(path: string, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = process.env["PATH"]
      process.env["PATH"] = path
      return before
    }),
    () => effect,
    (before) =>
      Effect.sync(() => {
        process.env["PATH"] = before
      })
  )

const laws = Effect.gen(function*() {
  const ended = yield* LauncherWatch.make
  const [one, other] = yield* Effect.all([orphan, orphan])
  const first = yield* Effect.fork(ended(one))
  const second = yield* Effect.fork(ended(other))
  // Of another process with the same pid nobody waits for the end: it is not the one that is meant.
  yield* ended({ pid: other.pid, startTime: "1" })
  yield* kill(one.pid)
  yield* Fiber.join(first)
  assert.isNull(yield* Fiber.poll(second).pipe(Effect.map((exit) => exit._tag === "None" ? null : exit)))
  yield* kill(other.pid)
  yield* Fiber.join(second)
  yield* ended(one)
})

describe("LauncherWatch", () => {
  // The clock stands still: nothing is found out by looking again.
  it.scoped("tells the end of a process that is nobody's child here, and of that one alone", () => laws)

  it.scopedLive("does so without perl", () => withPath("/nonexistent", Effect.scoped(laws)))
})
