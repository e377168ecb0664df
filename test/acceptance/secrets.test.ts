import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"

const { isSkipped, told } = rootWith("runsc")

const canary = "canary-5f1d9c"

describe("values of env_file", () => {
  it.scopedLive("reach the service, and are shown nowhere: not in any output, argument, file or metric", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service(
            { env_file: "secrets.env", max_restarts: 1, backoff_base_ms: 20 },
            "",
            "exit=1"
          )
        }
      }, {
        before: (root) =>
          fs.writeFileSync(`${root}/secrets.env`, `API_TOKEN=${canary}\nQUOTED="two words ${canary}"\n`, {
            mode: 0o600
          })
      })
      const { pid } = yield* machine.until("web", "running")
      yield* machine.untilUp("web")
      assert.deepInclude(Proc.environment(pid!), { API_TOKEN: canary, QUOTED: `two words ${canary}` })

      fs.writeFileSync(`${machine.root}/secrets.env`, `API_TOKEN=${canary}-2\n`)
      const outputs: Array<readonly [string, string]> = []
      const commands = [
        "ps --json",
        "ps",
        "describe web",
        "describe web --json",
        "why web",
        "config show",
        "config show --json",
        "config check",
        "reload --dry-run",
        "reload --dry-run --json",
        "tree --json",
        "events",
        "events --json",
        "logs web",
        "health web"
      ]
      yield* Effect.forEach(commands, (command) =>
        Effect.gen(function*() {
          const { stderr, stdout } = yield* machine.cli(...command.split(" "))
          outputs.push([command, stdout + stderr])
        }), { concurrency: 2 })
      const routes = [
        "/metrics",
        "/health",
        "/api/config",
        "/api/openapi.json",
        "/api/tree",
        "/api/instances/web:default"
      ]
      for (const route of routes) outputs.push([route, (yield* machine.api(route)).text])
      outputs.push(["arguments", Proc.pids().flatMap(Proc.commandLine).join(" ")])
      process.kill(pid!, "SIGKILL")
      yield* machine.until("web", "failed")
      outputs.push(["why", (yield* machine.cli("why", "web")).stdout])
      outputs.push([
        "the supervisor's own words",
        (yield* machine.supervisor.stdout) + (yield* machine.supervisor.stderr)
      ])
      for (const entry of fs.readdirSync(machine.dataDir, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue
        const file = path.join(entry.parentPath, entry.name)
        outputs.push([file, fs.readFileSync(file, "latin1")])
      }
      for (const [where, text] of outputs) assert.notInclude(text, canary, where)
      const [, described] = outputs.find(([where]) => where === "describe web --json")!
      assert.include(described, "API_TOKEN", "its name is no secret")
    }))

  const levels: Readonly<Record<string, Fx.Table>> = {
    process: { isolation: "process" },
    namespace: { isolation: "namespace" },
    bubblewrap: { isolation: "sandbox", sandbox_runtime: "bubblewrap" },
    gvisor: { isolation: "sandbox", sandbox_runtime: "gvisor" }
  }

  it.scopedLive.skipIf(isSkipped)(
    `reach it at every level of isolation, by no argument and no file that others can read${told}`,
    () =>
      Effect.gen(function*() {
        const show = ["sh", "-c", `test -n "$API_TOKEN" && echo "it has \${#API_TOKEN} letters"; exec sleep 1000`]
        const machine = yield* make({
          service: Object.fromEntries(
            Object.entries(levels).map(([name, keys]) => [
              name,
              { command: show, env_file: "secrets.env", env: { PATH: "/usr/bin:/bin" }, user: "nobody", ...keys }
            ])
          )
        }, { before: (root) => fs.writeFileSync(`${root}/secrets.env`, `API_TOKEN=${canary}\n`, { mode: 0o600 }) })
        for (const name of Object.keys(levels)) {
          yield* machine.until(name, "running")
          yield* eventually(
            "it tells of its token",
            machine.cli("logs", name, "--raw"),
            ({ stdout }) => stdout === `it has ${canary.length} letters\n`
          )
        }
        assert.notInclude(Proc.pids().flatMap(Proc.commandLine).join(" "), canary)
        const search = ["grep", "-rlsF", canary, machine.root]
        const found = spawnSync("setpriv", ["--reuid=daemon", "--regid=daemon", "--clear-groups", ...search])
        assert.deepStrictEqual(
          [found.status, found.stdout.toString()],
          [2, ""],
          "nothing was found, and not all was read"
        )
      })
  )

  it.scopedLive("are not told by the errors of a file that is wrong", () =>
    Effect.gen(function*() {
      const machine = yield* make({ service: { web: Fx.service({}, "") } })
      yield* machine.until("web", "running")
      yield* machine.write({ service: { web: Fx.service({ env_file: "secrets.env" }, "") } })
      fs.writeFileSync(
        `${machine.root}/secrets.env`,
        `GOOD=1\nno equals sign ${canary}\n1BAD=${canary}\nOPEN="${canary}\n`
      )
      const { code, stderr, stdout } = yield* machine.cli("reload")
      assert.strictEqual(code, 2, stderr)
      assert.include(stderr, "secrets.env")
      assert.notInclude(stderr + stdout, canary)
      yield* eventually("nothing happened", machine.view("web"), ({ state }) => state === "running")
    }))
})
