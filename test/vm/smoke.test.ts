import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "../acceptance/Fx.ts"
import { make } from "../acceptance/Machine.ts"
import * as Proc from "../acceptance/Proc.ts"

describe("a machine with cgroups of version 2 only", () => {
  it("is what it should be", () => {
    assert.strictEqual(fs.readFileSync("/proc/self/cgroup", "utf8"), "0::/\n")
  })

  it.scopedLive("runs a service, and leaves nothing of it", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ stop_timeout: "500 millis" }, "ignore=TERM child daemon") }
      })
      yield* machine.untilUp("web")
      yield* machine.stop("web")
      assert.deepStrictEqual((yield* machine.truth("web")).map(({ pid }) => pid).filter(Proc.isAlive), [])
    }))
})
