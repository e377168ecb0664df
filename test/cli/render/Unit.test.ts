import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { type Place, unit } from "../../../src/cli/render/Unit.ts"

const usual: Place = {
  node: "/usr/bin/node",
  program: "/usr/local/bin/tenement",
  options: ["--config", "/etc/tenement/tenement.toml"],
  system: true
}

const lines = (place: Place, key: string) =>
  unit(place).split("\n").filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))

describe("the unit", () => {
  it("of the examples is what the program makes", () => {
    assert.strictEqual(fs.readFileSync("examples/systemd/tenement.service", "utf8"), unit(usual))
  })

  it("names what would be special to systemd so that it is not", () => {
    const place = { ...usual, program: "/opt/100% $x/tenement", options: [`"quoted"`, "back\\slash", "two\nlines"] }
    assert.deepStrictEqual(lines(place, "ExecStart"), [
      `/usr/bin/node "/opt/100%% $$x/tenement" serve --handover "\\"quoted\\"" "back\\\\slash" "two\\nlines"`
    ])
  })

  it("lets services find a Node that is not where systemd looks", () => {
    assert.deepStrictEqual(lines(usual, "Environment"), [])
    const [path = ""] = lines({ ...usual, node: "/home/me/.nvm/versions/node/v20/bin/node" }, "Environment")
    assert.match(path, /^PATH=\/home\/me\/\.nvm\/versions\/node\/v20\/bin:.*:\/usr\/bin:/)
  })

  it.skipIf(spawnSync("systemd-analyze", ["--version"]).error !== undefined).each([true, false])(
    "is one that systemd has nothing to say against (system: %s)",
    (system) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-unit-"))
      try {
        // systemd looks whether the program of each command is there: what it reads is what was meant.
        const node = path.join(folder, "100% $HOME é")
        fs.symlinkSync(process.execPath, node)
        const file = path.join(folder, "tenement.service")
        fs.writeFileSync(file, unit({ ...usual, node, options: ["--config", "%n/$HOME/é.toml"], system }))
        const { stderr } = spawnSync("systemd-analyze", [...(system ? [] : ["--user"]), "verify", file], {
          encoding: "utf8",
          env: { ...process.env, XDG_RUNTIME_DIR: folder }
        })
        assert.strictEqual(stderr, "")
      } finally {
        fs.rmSync(folder, { recursive: true })
      }
    },
    60_000
  )
})
