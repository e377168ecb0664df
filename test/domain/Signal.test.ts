import { assert, describe, it } from "@effect/vitest"
import * as os from "node:os"
import { Signal } from "../../src/domain/Signal.ts"

describe("Signal", () => {
  it("has every signal of this machine that can ask a process to stop", () => {
    const machine = Object.keys(os.constants.signals).filter((name) => name !== "SIGSTOP")
    assert.sameMembers([...Signal.literals], machine)
  })
})
