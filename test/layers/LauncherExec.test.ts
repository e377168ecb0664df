import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as LauncherExec from "../../src/layers/LauncherExec.ts"
import { eventually, folder, linesOf } from "./Harness.ts"

describe("LauncherExec", () => {
  it.live("gives what a program printed, and nothing of the supervisor's environment", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* LauncherExec.exec("printf", "%s-%s", "a b", "c"), "a b-c")
      const names = (yield* LauncherExec.exec("env")).trim().split("\n").map((line) => line.split("=")[0])
      assert.sameMembers(names, ["PATH", "LC_ALL"])
    }))

  it.live("finds the system's programs whatever PATH is", () =>
    Effect.gen(function*() {
      const path = process.env["PATH"]
      process.env["PATH"] = "/nowhere"
      yield* Effect.ensuring(
        Effect.map(LauncherExec.exec("echo", "here"), (said) => assert.strictEqual(said, "here\n")),
        Effect.sync(() => {
          process.env["PATH"] = path
        })
      )
    }))

  it.live("says what went wrong", () =>
    Effect.gen(function*() {
      const missing = yield* Effect.flip(LauncherExec.exec("no-such-program"))
      assert.strictEqual(
        missing.message,
        "no-such-program is not installed, or in none of /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
      )
      const failed = yield* Effect.flip(LauncherExec.exec("sh", "-c", "echo because >&2; exit 3"))
      assert.strictEqual(failed.message, "sh failed (3): because")
    }))

  it.scopedLive("kills the program when nobody waits for it any more", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* folder, "pid")
      const fiber = yield* Effect.fork(LauncherExec.exec("sh", "-c", `echo $$ > ${file}; exec sleep 60`))
      const [pid] = yield* linesOf(file, 1)
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => !Fs.existsSync(`/proc/${pid}`))
    }))
})
