import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "./Fx.ts"
import { make, serve } from "./Machine.ts"
import * as Site from "./Site.ts"

const viewKeys = [
  "name",
  "service",
  "id",
  "state",
  "health",
  "pid",
  "startedAt",
  "uptimeSeconds",
  "restarts",
  "memoryMb",
  "cpuPercent",
  "socket",
  "port",
  "weight",
  "lastExit",
  "nextStartAt"
]

describe("the command line", () => {
  it.scopedLive("spawn, ps, stop, start, restart and rm do what they say, and answer when it is done", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          api: Fx.service({ instances: [], readiness: "socket" }, "serve=200"),
          idle: Fx.service({ instances: [] }, "")
        }
      })
      const ok = (...args: ReadonlyArray<string>) =>
        Effect.map(machine.cli(...args), ({ code, stderr, stdout }) => {
          assert.strictEqual(code, 0, `${args.join(" ")}: ${stderr}`)
          return stdout
        })
      const spawned = yield* ok("spawn", "api", "--id", "prod")
      const { socket } = yield* machine.view("api:prod")
      assert.include(spawned, socket!)
      assert.isTrue(fs.statSync(socket!).isSocket())
      yield* ok("spawn", "api:test")

      const listed = JSON.parse(yield* ok("ps", "--json")) as ReadonlyArray<Record<string, unknown>>
      assert.deepStrictEqual(listed.map(({ name }) => name), ["api:prod", "api:test"])
      for (const view of listed) assert.sameMembers(Object.keys(view), viewKeys)
      const table = yield* ok("ps")
      for (const word of ["INSTANCE", "STATE", "PID", "RESTARTS", "SOCKET", "api:prod", "api:test", "running"]) {
        assert.include(table, word)
      }
      assert.notInclude(table, "\u001b", "no colour in a pipe")

      yield* ok("stop", "api:prod")
      assert.strictEqual((yield* machine.view("api:prod")).state, "stopped")
      yield* ok("start", "api:prod")
      assert.strictEqual((yield* machine.view("api:prod")).state, "running")
      const before = (yield* machine.list).map(({ pid }) => pid)
      yield* ok("restart", "api")
      const after = (yield* machine.list).map(({ pid }) => pid)
      assert.strictEqual(new Set([...before, ...after]).size, 4, "all of the service, each by a new process")
      yield* ok("stop", "api")
      assert.deepStrictEqual((yield* machine.list).map(({ state }) => state), ["stopped", "stopped"])
      yield* ok("rm", "api:prod")
      assert.deepStrictEqual((yield* machine.list).map(({ name }) => name), ["api:test"])
    }))

  it.scopedLive("options stand before or after the command's name", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      const elsewhere = { env: { TENEMENT_SOCKET: "/no/such.sock" } }
      for (
        const args of [
          ["--socket", machine.socket, "ps", "--json"],
          ["ps", "--json", "--socket", machine.socket],
          ["--json", "ps", `--socket=${machine.socket}`, "--no-color"]
        ]
      ) {
        const { code, stderr, stdout } = yield* machine.cliWith(elsewhere, ...args)
        assert.strictEqual(code, 0, stderr)
        assert.strictEqual(JSON.parse(stdout)[0].name, "web:default")
      }
    }))

  it.scopedLive("tree shows the supervision tree, health probes now", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service({ health: "/health", health_interval: 3600 }, "serve=200,503"),
          cart: Fx.service({}, ""),
          till: Fx.service({}, "")
        },
        group: { shop: { services: ["cart", "till"], strategy: "rest-for-one" } }
      })
      yield* machine.until("web", "healthy")
      const tree = yield* machine.cli("tree")
      assert.strictEqual(tree.code, 0, tree.stderr)
      for (const word of ["web", "web:default", "healthy", "shop", "rest-for-one", "cart:default", "till:default"]) {
        assert.include(tree.stdout, word)
      }
      const ill = yield* machine.cli("health", "web")
      assert.strictEqual(ill.code, 1)
      assert.include(ill.stdout + ill.stderr, "503")
      yield* machine.answer("web", "200")
      const well = yield* machine.cli("health", "web:default")
      assert.strictEqual(well.code, 0, well.stderr)
    }))

  it.scopedLive("a start that fails is exit code 1, with the reason", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          crash: Fx.service({ instances: [], readiness: "socket", restart: "never" }, "err=out-of-cheese exit=9"),
          missing: { command: "/no/such/program", isolation: "process", instances: [], restart: "never" }
        }
      })
      const crash = yield* machine.cli("spawn", "crash")
      assert.strictEqual(crash.code, 1)
      assert.match(crash.stderr, /exited with code 9/)
      const missing = yield* machine.cli("spawn", "missing")
      assert.strictEqual(missing.code, 1)
      assert.include(missing.stderr, "ENOENT")
    }))

  it.scopedLive("without a supervisor is exit code 3, and says how to start one", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      const commands = [
        "ps",
        "tree",
        "events",
        "logs",
        "reload",
        "stop web",
        "spawn web",
        "why web",
        "health web",
        "rm web:x"
      ]
      yield* Effect.forEach(commands, (command) =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* site.cli(...command.split(" "))
          assert.strictEqual(code, 3, `${command}: ${stderr}`)
          assert.include(stderr, "tenement serve", command)
          assert.strictEqual(stdout, "", command)
        }), { concurrency: 2 })
    }))

  it.scopedLive("serve supervises in whatever order its words come, and with options that only the command line knows", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      for (
        const words of [["-c", site.file, "--json", "serve"], ["--log-level=debug", "serve", `--config=${site.file}`]]
      ) {
        const supervisor = yield* serve(site, undefined, words)
        yield* supervisor.signal("SIGTERM")
        assert.deepStrictEqual(yield* supervisor.exited, { code: 0, signal: null }, words.join(" "))
      }
    }))

  it.scopedLive("words that make no sense are exit code 2, and name the nearest that do", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { website: Fx.service({}, "") } })
      const wrong: Readonly<Record<string, RegExp>> = {
        "sotp website": /stop/,
        "ps --jsno": /--json/,
        "stop": /name|instance|argument|missing/i,
        "stop website:../etc": /website:\.\.\/etc/,
        "stop WEB": /WEB/,
        "spawn website --id UPPER": /UPPER/,
        "logs website -n many": /many|-n|--tail/,
        "logs website --since yesterday": /yesterday/,
        "--log-level loud ps": /loud/,
        "config": /check/
      }
      yield* Effect.forEach(Object.entries(wrong), ([command, says]) =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* machine.cli(...command.split(" "))
          assert.strictEqual(code, 2, `${command}: ${stderr}`)
          assert.match(stderr + stdout, says, command)
          assert.notMatch(stderr, /\n\s+at /, command)
        }), { concurrency: 2 })
      // What is well said and does not exist is a failure, with the nearest name.
      const nearest = { "stop websiet": "website", "why website:defualt": "website:default", "spawn websit": "website" }
      for (const [command, says] of Object.entries(nearest)) {
        const { code, stderr } = yield* machine.cli(...command.split(" "))
        assert.strictEqual(code, 1, `${command}: ${stderr}`)
        assert.include(stderr, says, command)
      }
    }))
})
