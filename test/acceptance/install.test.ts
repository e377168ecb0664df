import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Site from "./Site.ts"

const isRoot = process.getuid?.() === 0

const line = (unit: string, key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1] ?? ""

describe("tenement install", () => {
  it.scopedLive("prints a unit whose commands serve, reload, and know a wrong file by its exit code", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      const { code, stdout } = yield* site.cli("install")
      assert.strictEqual(code, 0)
      // As systemd runs it: from the root folder, with none of this shell's variables.
      const shell = (command: string) => ({ via: ["env", "-i", "-C", "/", "sh", "-c", command] })
      const supervisor = yield* site.run([], shell(`exec ${line(stdout, "ExecStart")}`))
      const reload = () => site.cliWith(shell(line(stdout, "ExecReload")))
      yield* eventually("the supervisor reloads", reload(), ({ code }) => code === 0)
      yield* site.write("[service.web]\ncomand = \"true\"\n")
      const refused = yield* reload()
      assert.strictEqual(refused.code, 2)
      assert.match(refused.stderr, /did you mean "command"/)
      yield* supervisor.signal("SIGTERM")
      assert.strictEqual((yield* supervisor.exited).code, 0)

      const wrong = yield* site.cliWith(shell(line(stdout, "ExecStart")))
      assert.strictEqual(String(wrong.code), line(stdout, "RestartPreventExitStatus"))
    }))

  it.scopedLive("writes a user's unit where systemd looks, says what comes next, and keeps what a person changed", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({})
      const home = `${site.root}/home`
      fs.mkdirSync(home)
      fs.chmodSync(home, 0o777)
      const env = { HOME: home, XDG_CONFIG_HOME: "" }
      const install = (...words: ReadonlyArray<string>) =>
        site.cliWith({ env, ...(isRoot ? { user: 65534 } : {}) }, "install", ...words)
      const file = `${home}/.config/systemd/user/tenement.service`
      const printed = yield* install()
      assert.isFalse(fs.existsSync(file))

      const written = yield* install("--write")
      assert.strictEqual(written.code, 0)
      assert.include(written.stdout, "systemctl --user enable --now tenement")
      assert.strictEqual(fs.readFileSync(file, "utf8"), printed.stdout)
      assert.include(printed.stdout, "WantedBy=default.target")

      const again = yield* install("--write", "--json")
      assert.deepStrictEqual(JSON.parse(again.stdout), { file, written: false, unit: printed.stdout })

      fs.writeFileSync(file, "mine")
      const refused = yield* install("--write")
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, `${file} is there already`)
      assert.strictEqual(fs.readFileSync(file, "utf8"), "mine")
    }))
})
