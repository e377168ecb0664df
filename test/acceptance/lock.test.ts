import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "./Fx.ts"
import { type Machine, make, on } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import type * as Site from "./Site.ts"

/** Exits by itself, and says who is in charge. */
const gaveWay = (refused: Site.Running, holder: number) =>
  Effect.gen(function*() {
    const { code } = yield* refused.exited
    const said = yield* refused.stderr
    assert.strictEqual(code, 1, said)
    // On a machine that has no time for it, the holder does not answer.
    assert.match(said, new RegExp(`the supervisor with pid ${holder} is|which does not answer`))
  })

const inode = (path: string) => fs.lstatSync(path).ino

const serveAgain = (machine: Machine) => machine.run(["serve", "--config", machine.file])

describe("a second supervisor of one data_dir", () => {
  it.scopedLive("gives way, by whatever path it comes, and touches nothing", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.untilUp("web")
      const { pid } = yield* machine.view("web")
      const before = { instance: Proc.identity(pid!), socket: inode(machine.socket) }

      fs.symlinkSync(machine.dataDir, `${machine.root}/link`)
      const other = `${machine.root}/other.toml`
      fs.writeFileSync(
        other,
        fs.readFileSync(machine.file, "utf8")
          .replace(machine.dataDir, `${machine.root}/link`)
          .replace(machine.socket, `${machine.root}/tenement/other.sock`)
      )
      yield* gaveWay(yield* machine.run(["serve", "--config", other]), machine.supervisor.pid)
      assert.isFalse(fs.existsSync(`${machine.root}/tenement/other.sock`))
      fs.unlinkSync(`${machine.root}/link`)

      const twenty = yield* Effect.replicateEffect(serveAgain(machine), 20)
      yield* Effect.forEach(twenty, (one) => gaveWay(one, machine.supervisor.pid), { discard: true })
      assert.deepStrictEqual({ instance: Proc.identity(pid!), socket: inode(machine.socket) }, before)
      assert.strictEqual((yield* machine.starts("web")).length, 1)
    }), 120_000)

  it.scopedLive(
    "is the next one, if the first was killed: one of twenty that come at once",
    () =>
      Effect.gen(function*() {
        const machine = yield* make({ service: { web: Fx.service({}, "") } })
        yield* machine.untilUp("web")
        const { pid } = yield* machine.view("web")
        const instance = Proc.identity(pid!)
        yield* machine.supervisor.signal("SIGKILL")
        yield* machine.supervisor.exited
        const twenty = yield* Effect.replicateEffect(serveAgain(machine), 20)
        // All but one exit by themselves.
        let left = twenty
        while (left.length > 1) {
          const gone = yield* Effect.raceAll(left.map((one) => Effect.as(one.exited, one)))
          left = left.filter((one) => one !== gone)
        }
        const [winner] = left
        const next = on(machine, winner!)
        yield* next.until("web", "running")
        for (const one of twenty) if (one !== winner) yield* gaveWay(one, winner!.pid)
        assert.strictEqual(Proc.identity((yield* next.view("web")).pid!), instance)
        yield* next.terminate
      }),
    120_000
  )
})
