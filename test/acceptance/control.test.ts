import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { make, serve } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import * as Site from "./Site.ts"

const nobody = 65534
const needsRoot = it.scopedLive.skipIf(process.getuid?.() !== 0)
const mode = (path: string) => (fs.statSync(path).mode & 0o777).toString(8)
const one = { service: { web: Fx.service({}, "") } }

describe("the control socket", () => {
  it.scopedLive("is for its owner only, whatever the umask", () =>
    Effect.gen(function*() {
      const machine = yield* make(one, { via: ["sh", "-c", "umask 000; exec \"$@\"", "sh"] })
      assert.strictEqual(mode(`${machine.root}/tenement`), "700")
      assert.strictEqual(mode(machine.socket), "600")
      assert.strictEqual(mode(machine.dataDir), "700")
    }))

  needsRoot("is closed to other users, who are told whose it is (needs root)", () =>
    Effect.gen(function*() {
      const machine = yield* make(one)
      const { code, stderr, stdout } = yield* machine.cliWith({ user: nobody }, "ps")
      assert.strictEqual(code, 1, stderr)
      assert.include(stderr, "root")
      assert.strictEqual(stdout, "")
    }))

  it.scopedLive("takes the place of one that nobody listens on", () =>
    Effect.gen(function*() {
      const site = yield* Site.make(one)
      fs.mkdirSync(`${site.root}/tenement`, { mode: 0o700 })
      const bind = "socket(S,1,1,0); bind(S,pack('S a108',1,$ARGV[0])) or die $!"
      execFileSync("perl", ["-e", bind, site.socket])
      const supervisor = yield* serve(site)
      yield* supervisor.signal("SIGTERM")
      assert.deepStrictEqual(yield* supervisor.exited, { code: 0, signal: null })
    }))

  it.scopedLive("does not take the place of a file, or of what another program listens on", () =>
    Effect.gen(function*() {
      const site = yield* Site.make(one)
      fs.mkdirSync(`${site.root}/tenement`, { mode: 0o700 })
      fs.writeFileSync(site.socket, "mine")
      const refused = yield* site.cli("serve")
      assert.notStrictEqual(refused.code, 0)
      assert.include(refused.stderr, site.socket)
      assert.strictEqual(fs.readFileSync(site.socket, "utf8"), "mine")

      const machine = yield* make({ service: { other: Fx.service({}, "") } })
      const taken = yield* site.cliWith({ env: { TENEMENT_SOCKET: machine.socket } }, "serve")
      assert.notStrictEqual(taken.code, 0)
      assert.include(taken.stderr, machine.socket)
      assert.strictEqual((yield* machine.api("/health")).status, 200)
    }))
})

describe("a second supervisor", () => {
  it.scopedLive("on the same data folder gives way, says to whom, and touches nothing; many at once too", () =>
    Effect.gen(function*() {
      const machine = yield* make(one)
      const web = Proc.identity((yield* machine.until("web", "running")).pid!)
      fs.symlinkSync(machine.dataDir, `${machine.root}/same`)
      const others = [
        {},
        { TENEMENT_SOCKET: `${machine.root}/tenement/other.sock` },
        ...Array.from({ length: 4 }, (_, index) => ({ TENEMENT_SOCKET: `${machine.root}/tenement/${index}.sock` }))
      ]
      yield* Effect.forEach(others, (env) =>
        Effect.gen(function*() {
          const { code, stderr } = yield* machine.cliWith({ env }, "serve")
          assert.strictEqual(code, 1, stderr)
          assert.include(stderr, String(machine.supervisor.pid))
        }), { concurrency: 3, discard: true })
      fs.writeFileSync(
        `${machine.root}/linked.toml`,
        fs.readFileSync(machine.file, "utf8").replace(machine.dataDir, `${machine.root}/same`)
      )
      const linked = yield* machine.cliWith(
        { env: { TENEMENT_SOCKET: `${machine.root}/tenement/linked.sock` } },
        "serve",
        "--config",
        `${machine.root}/linked.toml`
      )
      assert.strictEqual(linked.code, 1, linked.stderr)
      assert.include(linked.stderr, String(machine.supervisor.pid))
      assert.strictEqual(Proc.identity((yield* machine.view("web")).pid!), web)
      assert.strictEqual((yield* machine.starts("web")).length, 1)
      fs.rmSync(`${machine.root}/same`)
    }))

  it.scopedLive("of many that start at once exactly one serves", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      const all = yield* Effect.forEach([1, 2, 3, 4, 5], () => site.run(["serve"]), { concurrency: "unbounded" })
      const alive = Effect.sync(() => all.filter(({ pid }) => Proc.isAlive(pid)))
      const [winner] = yield* eventually("one is left", alive, (left) => left.length === 1)
      yield* eventually("it serves", site.cli("ps", "--json"), ({ code, stdout }) =>
        code === 0 && JSON.parse(stdout)[0]?.state === "running")
      for (
        const loser of all.filter((one) =>
          one !== winner
        )
      ) {
        assert.strictEqual((yield* loser.exited).code, 1)
        assert.include(yield* loser.stderr, String(winner!.pid))
      }
      yield* winner!.signal("SIGTERM")
      assert.strictEqual((yield* winner!.exited).code, 0)
      assert.strictEqual(Fx.records(`${site.root}/truth`).filter(({ event }) => event === "start").length, 1)
    }))

  it.scopedLive("is not kept out by one that was killed", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({ instances: [] }, "") } })
      const first = yield* serve(site)
      yield* first.signal("SIGKILL")
      yield* first.exited
      assert.isTrue(fs.existsSync(site.socket), "it left its socket")
      const second = yield* serve(site)
      yield* second.signal("SIGTERM")
      assert.strictEqual((yield* second.exited).code, 0)
    }))
})
