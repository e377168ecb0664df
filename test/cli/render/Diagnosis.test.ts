import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Diagnosis from "../../../src/cli/render/Diagnosis.ts"
import * as Palette from "../../../src/cli/render/Palette.ts"
import type { Finding } from "../../../src/domain/Diagnosis.ts"
import { ServiceName } from "../../../src/domain/Names.ts"
import * as Embed from "../../../src/embed.ts"

const services = ["api", "db", "jobs", "mail", "pay", "shop", "sync", "till", "web", "xray"].map((name) =>
  ServiceName.make(name)
)

const finding: FC.Arbitrary<Finding> = FC.record({
  level: FC.constantFrom("ok", "warning", "error"),
  about: FC.constantFrom("logs", "open files"),
  what: FC.constantFrom("it is there", "\u001b[2J is not installed, or in none of the many folders of this machine"),
  services: FC.subarray(services, { minLength: 1 }),
  mend: FC.constantFrom(null, "apt-get install it")
})

const narrow = { palette: Palette.plain, room: 60 }

describe("findings", () => {
  it("are told whole, fit the room, and hold nothing that a terminal would obey", () =>
    FC.assert(FC.property(FC.array(finding), (findings) => {
      const lines = Diagnosis.lines(findings, narrow).join("\n").split("\n")
      for (const line of lines) assert.isAtMost(Palette.width(line), 60)
      const words = (text: string) => text.split(/\s+/).filter((word) => word !== "")
      const told = words(lines.join(" ")).join(" ")
      for (const { about, level, mend, what } of findings) {
        assert.include(told, words(`${level} ${about} ${Palette.harmless(what)}`).join(" "))
        assert.include(told, mend ?? "")
      }
      assert.notInclude(told, "\u001b")
    })))

  it("name those who need what is missing, and count them where they are many", () => {
    const error: Finding = { level: "error", about: "logs", what: "gone", services, mend: "get it" }
    const [, needed] = Diagnosis.lines([error], { palette: Palette.plain, room: null })
    assert.match(needed ?? "", /needed by api, db, jobs, mail, pay, shop, sync, till and 2 others$/)
    const [, all] = Diagnosis.lines([{ ...error, services: services.slice(1) }], { palette: Palette.plain, room: null })
    assert.match(all ?? "", /needed by db, .*, web and xray$/)
  })

  it("that concern one file are told at the place of the first service", () => {
    const api = { ...Embed.service({ name: "api", command: "true" }), source: { file: "/etc/api.toml", line: 7 } }
    const config = Embed.config({ services: [api] })
    const gone: Finding = { level: "error", about: "command", what: "gone", services: [api.name], mend: "get it" }
    assert.deepStrictEqual(Diagnosis.warnings(config, [gone]), [
      "/etc/api.toml:7: warning: here, for api: command: gone; mend: get it"
    ])
  })

  it("are summed up for the file", () => {
    const of = (...levels: ReadonlyArray<Finding["level"]>) =>
      levels.map((level): Finding => ({ level, about: "", what: "", services: [], mend: null }))
    const summary = (file: string | null, findings: ReadonlyArray<Finding>) =>
      Diagnosis.summary(file, findings, Palette.plain)
    assert.strictEqual(summary("/t.toml", of("ok")), "/t.toml: this machine can run it")
    assert.strictEqual(summary("/t.toml", of("ok", "warning")), "/t.toml: this machine can run it; 1 warning")
    assert.strictEqual(
      summary("/t.toml", of("error", "warning", "warning", "error")),
      "/t.toml: this machine cannot run it as it stands, 2 errors; 2 warnings"
    )
    assert.match(summary(null, of("warning")), /^no file was found: .*; 1 warning$/)
  })
})
