import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "./Fx.ts"
import * as Site from "./Site.ts"

interface Mistake {
  readonly file: string
  /** What stderr must hold, `LINE:` meaning the place in the file. */
  readonly says: ReadonlyArray<string>
}

const service = (...lines: ReadonlyArray<string>) =>
  ["[service.web]", "isolation = \"process\"", "command = \"sleep 60\"", ...lines, ""].join("\n")

const mistakes: Readonly<Record<string, Mistake>> = {
  "a syntax error": { file: service("restart = "), says: ["4:"] },
  "an unknown key": { file: service("restrat = \"always\""), says: ["4:", "restrat", "restart"] },
  "an unknown table": { file: `${service()}[servce.db]\ncommand = "x"\n`, says: ["4:", "servce", "service"] },
  "an unknown setting": { file: `[settings]\nlisten_on = "off"\n${service()}`, says: ["2:", "listen_on", "listen"] },
  "a wrong type": { file: service("max_restarts = [3]"), says: ["4:", "max_restarts"] },
  "a number out of range": { file: service("weight = -1"), says: ["4:", "weight"] },
  "a duration that is none": { file: service("stop_timeout = \"soon\""), says: ["4:", "stop_timeout", "soon"] },
  "a NUL in an argument": { file: service("args = [\"a\\u0000b\"]"), says: ["4:", "NUL"] },
  "no command": { file: "[service.web]\nisolation = \"process\"\n", says: ["1:", "command"] },
  "an unclosed quote in a command": { file: "[service.web]\ncommand = \"echo 'x\"\n", says: ["2:", "command"] },
  "the same table twice": { file: service() + service(), says: ["4:"] },
  "the same instance twice": { file: service("instances = [\"a\", \"a\"]"), says: ["4:", "instances"] },
  "an unknown isolation": {
    file: "[service.web]\ncommand = \"x\"\nisolation = \"none\"\n",
    says: ["3:", "isolation", "process"]
  },
  "an unknown signal": { file: service("stop_signal = \"SIGWHAT\""), says: ["4:", "SIGWHAT"] },
  "an unknown word in braces": { file: service("env = { A = \"{nmae}\" }"), says: ["4:", "nmae", "name"] },
  "a dependency that is not there": { file: service("depends_on = [\"wbe\"]"), says: ["4:", "wbe", "web"] },
  "a cycle": {
    file: ["a", "b", "c"].map((name, index) =>
      `[service.${name}]\nisolation = "process"\ncommand = "x"\ndepends_on = ["${"bca"[index]}"]\n`
    ).join(""),
    says: ["a", "b", "c", "depends_on"]
  },
  "a name that is not allowed": {
    file: "[service.\"../etc\"]\nisolation = \"process\"\ncommand = \"x\"\n",
    says: ["1:", "../etc"]
  },
  "a socket path that is too long": { file: service(`socket = "/tmp/${"x".repeat(120)}.sock"`), says: ["4:", "107"] },
  "an env_file that is not there": { file: service("env_file = \"no-such.env\""), says: ["4:", "no-such.env"] },
  "a group of nobody": { file: `${service()}[group.g]\nservices = ["db"]\n`, says: ["5:", "db"] },
  "an include that is none": { file: `include = "services"\n${service()}`, says: ["1:", "include"] },
  "an empty file": { file: "", says: ["service"] }
}

const untouched = (site: Site.Site) => {
  assert.isFalse(fs.existsSync(site.dataDir))
  assert.isFalse(fs.existsSync(`${site.root}/tenement`))
}

const withPlaces = (site: Site.Site) => ({ XDG_STATE_HOME: `${site.root}/state`, TENEMENT_SOCKET: site.socket })

describe("a file that is wrong", () => {
  it.scopedLive("is told by `serve` and `config check` alike, with its place, before anything is touched", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Object.entries(mistakes), ([what, { file, says }], index) =>
        Effect.scoped(
          Effect.gen(function*() {
            const site = yield* Site.make(file)
            const options = { env: withPlaces(site) }
            const check = yield* site.cliWith(options, "config", "check")
            assert.strictEqual(check.code, 2, `${what}: ${check.stderr}`)
            for (const word of says) {
              const expected = /^\d+:$/.test(word) ? `tenement.toml:${word}` : word
              assert.include(check.stderr, expected, `${what}: ${check.stderr}`)
            }
            // Both are one piece of code, and each costs a start of the program: some are enough.
            if (index % 5 === 0) {
              const serve = yield* site.cliWith(options, "serve")
              assert.strictEqual(serve.code, 2, `${what}: ${serve.stderr}`)
              assert.strictEqual(serve.stderr, check.stderr, what)
            }
            assert.notMatch(check.stderr, /\bat .*\.(js|ts):\d+|ParseError|undefined/, `${what}: ${check.stderr}`)
            untouched(site)
          })
        ), { concurrency: 2, discard: true })
    }))

  it.scopedLive("is told with all its mistakes at once, in every file it includes", () =>
    Effect.gen(function*() {
      const site = yield* Site.make([
        "include = [\"services/*.toml\"]",
        "[settings]",
        "lisen = \"off\"",
        "[service.web]",
        "command = \"sleep 60\"",
        "isolation = \"proces\"",
        "restart = \"sometimes\"",
        "helth = \"/\"",
        "depends_on = [\"nobody\"]",
        ""
      ].join("\n"))
      fs.mkdirSync(`${site.root}/services`)
      fs.writeFileSync(`${site.root}/services/db.toml`, "[service.db]\ncomand = \"x\"\nport = 70000\n")
      const { code, stderr } = yield* site.cliWith({ env: withPlaces(site) }, "config", "check")
      assert.strictEqual(code, 2)
      for (const line of [3, 6, 7, 8]) assert.include(stderr, `tenement.toml:${line}:`, stderr)
      for (const line of [2, 3]) assert.include(stderr, `services/db.toml:${line}:`, stderr)
      untouched(site)
    }))

  it.scopedLive("or is none, is refused: a folder, bytes, 50 MB, nothing there, not to be read", () =>
    Effect.gen(function*() {
      const site = yield* Site.make("")
      const check = (file: string, user?: number) =>
        Effect.gen(function*() {
          for (const command of [["config", "check"], ["serve"]]) {
            const options = { env: withPlaces(site), ...(user === undefined ? {} : { user }) }
            const { code, stderr } = yield* site.cliWith(options, ...command, "--config", file)
            assert.strictEqual(code, 2, `${file}: ${stderr}`)
            assert.include(stderr, file)
          }
        })
      yield* check(site.root)
      yield* check(`${site.root}/not-there.toml`)
      fs.writeFileSync(`${site.root}/binary.toml`, Buffer.from([0, 159, 146, 150, 255, 10, 0]))
      yield* check(`${site.root}/binary.toml`)
      fs.writeFileSync(`${site.root}/huge.toml`, Buffer.alloc(50 << 20, "# nothing but words\n"))
      yield* check(`${site.root}/huge.toml`)
      fs.writeFileSync(`${site.root}/closed.toml`, service(), { mode: 0o000 })
      if (process.getuid?.() === 0) yield* check(`${site.root}/closed.toml`, 65534)
      else yield* check(`${site.root}/closed.toml`)
      untouched(site)
    }))
})

describe("a file that is right", () => {
  it.scopedLive("passes the check, is shown resolved, and touches nothing", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({
        service: { web: Fx.service({ restart: "always" }, ""), db: Fx.service({ instances: ["a", "b"] }, "") }
      })
      const check = yield* site.cli("config", "check")
      assert.strictEqual(check.code, 0, check.stderr)
      const shown = yield* site.cli("config", "show", "--json")
      assert.strictEqual(shown.code, 0, shown.stderr)
      const config = JSON.parse(shown.stdout)
      assert.deepInclude(config.service.web, { restart: "always", max_restarts: 3, stop_timeout: 10 })
      assert.deepInclude(config.service.db, { instances: ["a", "b"] })
      const schema = yield* site.cli("config", "schema")
      assert.strictEqual(schema.code, 0, schema.stderr)
      assert.property(JSON.parse(schema.stdout), "$schema")
      untouched(site)
    }))
})
