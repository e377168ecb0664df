import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { InstanceName } from "../../src/domain/Names.ts"
import * as Launcher from "../../src/layers/Launcher.ts"

const devNull = Fs.openSync("/dev/null", "w")
const base: Launcher.LaunchSpec = {
  instance: InstanceName.make("api:default"),
  incarnation: 1,
  argv: ["/bin/sh", "-c", "exit 3"],
  cwd: "/",
  env: { PATH: "/usr/bin:/bin" },
  user: null,
  group: null,
  stdout: devNull,
  stderr: devNull
}

describe("Launcher", () => {
  it.scopedLive("gives the exit code", () =>
    Effect.gen(function*() {
      const launcher = yield* Launcher.Launcher
      const process = yield* launcher.launch(base)
      assert.deepStrictEqual(yield* process.exited, { code: 3, signal: null })
      assert.isFalse(yield* process.hasStragglers)
    }).pipe(Effect.provide(Launcher.layer)))
})
